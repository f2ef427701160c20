//! Kernels that are sums of few products of a column and a row.
//!
//! Cross approximation with full pivoting finds out cheaply whether few terms are enough; the singular value decomposition
//! of their sum (QR, then one-sided Jacobi rotations, in binary64) makes the terms orthogonal, so that they do not cancel.
//! They are taken if, rounded to the type computed in, they still sum to the kernel within a few units of its rounding.

/// Terms of a kernel: columns and rows, the column scaled.
pub(crate) type Terms = Vec<(Vec<f64>, Vec<f64>)>;

/// Every kernel of a bank of `height × width` taps as few products, if every one is; the same number of terms for all.
/// `single`: they are computed in binary32, else in binary64. Kernels come in the order of the taps.
pub(crate) fn bank(kernels: impl Iterator<Item = Vec<f64>>, [height, width]: [usize; 2], single: bool) -> Option<Vec<Terms>> {
    let most = most_terms(height, width);
    if most == 0 {
        return None;
    }
    let unit = if single { f64::from(f32::EPSILON) / 2.0 } else { f64::EPSILON / 2.0 };
    let round = if single { |w| f64::from(w as f32) } else { |w| w };
    let mut all = kernels.map(|kernel| terms(&kernel, height, most, unit, round)).collect::<Option<Vec<_>>>()?;
    let count = all.iter().map(Vec::len).max()?;
    for terms in &mut all {
        terms.resize(count, (vec![0.0; height], vec![0.0; width]));
    }
    Some(all)
}

/// The most terms that are worth their work for `height × width` taps; they share a block, so there are at most six.
pub(crate) fn most_terms(height: usize, width: usize) -> usize {
    // A pass along a row reads every sum anew: dearer than a tap of the direct convolution.
    (2 * height * width / (3 * (height + width))).min(6)
}

/// The terms of a kernel of `height` rows, at most `most`; `None` if it takes more. `round` rounds to the type computed in,
/// whose unit roundoff is `unit`.
fn terms(kernel: &[f64], height: usize, most: usize, unit: f64, round: fn(f64) -> f64) -> Option<Terms> {
    let width = kernel.len() / height;
    let sum: f64 = kernel.iter().map(|w| w.abs()).sum();
    if !sum.is_finite() || sum < 1e-30 {
        return None;
    }
    let terms = orthogonal(crossed(kernel, width, most, unit * sum)?);
    let rounded: Terms = (terms.iter())
        .map(|(column, row)| (column.iter().map(|&w| round(w)).collect(), row.iter().map(|&w| round(w)).collect()))
        .collect();
    let (mut missed, mut size) = (0.0, 0.0);
    for (y, line) in kernel.chunks(width).enumerate() {
        for (x, w) in line.iter().enumerate() {
            let products = rounded.iter().map(|(column, row)| column[y] * row[x]);
            missed += (w - products.clone().sum::<f64>()).abs();
            size += products.map(f64::abs).sum::<f64>();
        }
    }
    (missed <= 4.0 * unit * sum && size <= 4.0 * sum).then_some(rounded)
}

/// Terms whose sum misses the kernel by at most `enough` in all, by cross approximation.
fn crossed(kernel: &[f64], width: usize, most: usize, enough: f64) -> Option<Terms> {
    let mut rest = kernel.to_vec();
    let mut terms: Terms = vec![];
    loop {
        let missed: f64 = rest.iter().map(|w| w.abs()).sum();
        if missed <= enough {
            return Some(terms);
        }
        if terms.len() == most {
            return None;
        }
        let at = (0..rest.len()).max_by(|&a, &b| rest[a].abs().total_cmp(&rest[b].abs()))?;
        let (y, x, pivot) = (at / width, at % width, rest[at]);
        let column: Vec<f64> = rest.iter().skip(x).step_by(width).map(|w| w / pivot).collect();
        let row = rest[y * width..(y + 1) * width].to_vec();
        for (line, c) in rest.chunks_mut(width).zip(&column) {
            for (rest, r) in line.iter_mut().zip(&row) {
                *rest -= c * r;
            }
        }
        terms.push((column, row));
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The same sum with orthogonal columns and orthonormal rows: its singular value decomposition.
fn orthogonal(terms: Terms) -> Terms {
    let count = terms.len();
    let (columns, rows): (Vec<_>, Vec<_>) = terms.into_iter().unzip();
    // Rows = R · Q, by Gram and Schmidt, twice for orthogonality; columns take R.
    let (mut basis, mut factors) = (rows, vec![vec![0.0; count]; count]);
    for i in 0..count {
        for _ in 0..2 {
            for j in 0..i {
                let along = dot(&basis[i], &basis[j]);
                factors[i][j] += along;
                let other = basis[j].clone();
                basis[i].iter_mut().zip(&other).for_each(|(w, o)| *w -= along * o);
            }
        }
        let norm = dot(&basis[i], &basis[i]).sqrt();
        factors[i][i] = norm;
        if norm > 0.0 {
            basis[i].iter_mut().for_each(|w| *w /= norm);
        }
    }
    let height = columns.first().map_or(0, Vec::len);
    let mut left: Vec<Vec<f64>> =
        (0..count).map(|j| (0..height).map(|y| (j..count).map(|i| columns[i][y] * factors[i][j]).sum()).collect()).collect();
    // One-sided Jacobi: rotations of pairs of columns, and of the rows with them, until all are orthogonal.
    for _ in 0..40 {
        let mut turned = false;
        for p in 0..count {
            for q in p + 1..count {
                let (a, b, c) = (dot(&left[p], &left[p]), dot(&left[q], &left[q]), dot(&left[p], &left[q]));
                if c == 0.0 || c.abs() <= 1e-16 * (a * b).sqrt() {
                    continue;
                }
                turned = true;
                let zeta = (b - a) / (2.0 * c);
                let tangent = zeta.signum() / (zeta.abs() + (1.0 + zeta * zeta).sqrt());
                let cosine = 1.0 / (1.0 + tangent * tangent).sqrt();
                let sine = cosine * tangent;
                for vectors in [&mut left, &mut basis] {
                    let (head, tail) = vectors.split_at_mut(q);
                    for (a, b) in head[p].iter_mut().zip(tail[0].iter_mut()) {
                        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
                    }
                }
            }
        }
        if !turned {
            break;
        }
    }
    left.into_iter().zip(basis).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outer(column: &[f64], row: &[f64]) -> Vec<f64> {
        column.iter().flat_map(|c| row.iter().map(move |r| c * r)).collect()
    }

    fn line(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| (((i + seed * 31) * 7919 + 13) % 101) as f64 / 50.0 - 1.0).collect()
    }

    #[test]
    fn sums_of_products_are_found_and_others_are_not() {
        for (height, width) in [(9, 9), (17, 12), (5, 31), (101, 101)] {
            for rank in 1..=3 {
                let mut kernel = vec![0.0; height * width];
                for r in 0..rank {
                    let product = outer(&line(height, r + 1), &line(width, r + 7));
                    kernel.iter_mut().zip(product).for_each(|(w, p)| *w += p / 3f64.powi(r as i32));
                }
                let terms = terms(&kernel, height, 6, f64::from(f32::EPSILON) / 2.0, |w| f64::from(w as f32)).unwrap();
                assert_eq!(terms.len(), rank);
                for (i, (a, _)) in terms.iter().enumerate() {
                    for (b, _) in &terms[..i] {
                        assert!(dot(a, b).abs() <= 1e-5 * (dot(a, a) * dot(b, b)).sqrt());
                    }
                }
                kernel[0] += 1e-3;
                assert!(super::terms(&kernel, height, rank, 6e-8, |w| w).is_none(), "one more term");
            }
        }
    }

    #[test]
    fn kernels_that_rounding_would_spoil_are_left_alone() {
        let unit = f64::from(f32::EPSILON) / 2.0;
        assert!(terms(&[0.0; 9], 3, 2, unit, |w| w).is_none());
        assert!(terms(&[f64::NAN; 9], 3, 2, unit, |w| w).is_none());
        assert!(terms(&[1.0; 9], 3, 2, unit, |w| w * 1.001).is_none());
        assert_eq!(terms(&[1.0; 9], 3, 2, unit, |w| w).unwrap().len(), 1);
    }
}
