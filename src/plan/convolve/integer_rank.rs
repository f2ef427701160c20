//! Kernels of integers that are products of a column and a row of integers: exact in passes.

use super::low_rank::Terms;

/// Every kernel of a bank of integers as the product of a column and a row of integers, if every one is. The sums of magnitudes
/// of both are at most the kernel's, so that no pass reaches further than the kernel itself.
pub(crate) fn bank<'a>(kernels: impl Iterator<Item = &'a [f64]>, width: usize) -> Option<Vec<Terms>> {
    kernels.map(|kernel| term(kernel, width).map(|term| vec![term])).collect()
}

/// By the lemma of Gauss: a row of integers without a common divisor is taken integer times by every row of the kernel, if it
/// is taken rational times.
fn term(kernel: &[f64], width: usize) -> Option<(Vec<f64>, Vec<f64>)> {
    let rows = kernel.chunks(width);
    let Some(first) = rows.clone().find(|row| row.iter().any(|&w| w != 0.0)) else {
        return Some((vec![0.0; rows.len()], vec![0.0; width]));
    };
    // Numbers beyond are no exact integers any more.
    if kernel.iter().any(|w| w.fract() != 0.0 || w.abs() >= 2f64.powi(53)) {
        return None;
    }
    let common = first.iter().fold(0, |a, &w| gcd(a, w.abs() as u64)) as f64;
    let row: Vec<f64> = first.iter().map(|w| w / common).collect();
    let at = row.iter().position(|&w| w != 0.0)?;
    let column: Vec<f64> = rows.clone().map(|other| other[at] / row[at]).collect();
    let same = |(other, c): (&[f64], &f64)| other.iter().zip(&row).all(|(w, r)| *w == c * r);
    rows.zip(&column).all(same).then_some((column, row))
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    fn product(column: &[f64], row: &[f64]) -> Vec<f64> {
        column.iter().flat_map(|c| row.iter().map(move |r| c * r)).collect()
    }

    #[test]
    fn products_of_integers_are_found_and_nothing_else() {
        let cases: [(&[f64], &[f64]); 5] = [
            (&[1.0, 2.0, 1.0], &[1.0, 0.0, -1.0]),
            (&[0.0, 6.0, -4.0], &[0.0, -3.0, 15.0, 9.0]),
            (&[5.0], &[7.0]),
            (&[0.0, 0.0], &[0.0, 0.0]),
            (&[6.0, 10.0, 15.0], &[6.0, 10.0, 15.0]),
        ];
        for (column, row) in cases {
            let kernel = product(column, row);
            let all = bank([&kernel[..], &kernel[..]].into_iter(), row.len()).unwrap();
            let [terms, again] = &all[..] else { panic!() };
            assert_eq!(terms, again);
            let (c, r) = &terms[0];
            assert_eq!(product(c, r), kernel);
            let size = |values: &[f64]| values.iter().map(|w| w.abs()).sum::<f64>();
            assert!(c.iter().chain(r).all(|w| w.fract() == 0.0) && size(c) <= size(&kernel) && size(r) <= size(&kernel).max(0.0));
        }
        for kernel in [[1.0, 2.0, 2.0, 3.0], [2.0, 3.0, 3.0, 4.5], [0.0, 1.0, 1.0, 0.0], [2f64.powi(53), 1.0, 0.0, 0.0]] {
            assert_eq!(bank([&kernel[..]].into_iter(), 2), None);
        }
    }
}
