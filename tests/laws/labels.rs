//! Variances, medians and histograms by label are their definition, label by label.

use ndarray::IxDyn;
use unisono::{AsOperand, Backend, Bins, Element, GroupOp, Operand};

use crate::devices::{self, Random, supported};
use crate::moments::{root, samples, variance};
use crate::oracle;

fn numbers(backend: &Backend, values: &Operand<'_>, labels: &[i16], op: GroupOp, index: Option<&[i64]>) -> Option<Vec<f64>> {
    let result = backend.reduce_by_label(values, &labels.as_operand(), op, index);
    supported(backend, result).map(|found| found.typed::<f64>().unwrap().into_vec().unwrap())
}

/// Bits, all NaN alike.
fn bits(x: f64) -> u64 {
    if x.is_nan() { f64::NAN.to_bits() } else { x.to_bits() }
}

/// Compares everything with the definition; `exact` are the values as binary64, which holds them.
fn check(values: &Operand<'_>, exact: &[f64], labels: &[i16]) {
    let index = [3i64, -2, 0, 77, 1 << 40, 3];
    let of = |label: i64| -> Vec<f64> {
        exact.iter().zip(labels).filter(|(_, found)| i64::from(**found) == label).map(|(x, _)| *x).collect()
    };
    for backend in devices::all() {
        for ddof in [0usize, 2] {
            let at = ddof as u64;
            let var = numbers(backend, values, labels, GroupOp::Var { ddof: at }, Some(&index)).expect("variances everywhere");
            let std = numbers(backend, values, labels, GroupOp::Std { ddof: at }, Some(&index)).expect("deviations everywhere");
            for ((&label, var), std) in index.iter().zip(var).zip(std) {
                let inside = of(label);
                let wanted = match inside.len() {
                    0 => [f64::NAN; 2],
                    n if n <= ddof && inside.iter().all(|x| *x == inside[0]) => [f64::NAN; 2],
                    n if n <= ddof => [f64::INFINITY; 2],
                    _ => {
                        let exact = variance(&inside, ddof);
                        [oracle::to_f64(&exact), oracle::to_f64(&root(&exact))]
                    }
                };
                assert_eq!([var, std].map(bits), wanted.map(bits), "{backend:?} {} {label} {ddof}", values.dtype());
            }
        }
        if let Some(found) = numbers(backend, values, labels, GroupOp::Median, Some(&index)) {
            for (&label, found) in index.iter().zip(found) {
                let mut inside = of(label);
                inside.sort_by(f64::total_cmp);
                let n = inside.len();
                let middle = |at: usize| oracle::exact(inside[at]);
                let wanted =
                    if n == 0 { f64::NAN } else { oracle::to_f64(&((middle((n - 1) / 2) + middle(n / 2)) / oracle::whole(2))) };
                assert_eq!(bits(found + 0.0), bits(wanted + 0.0), "{backend:?} {} {label}", values.dtype());
            }
        }
        let edges = [-1e20, -1.0, 0.0, 0.5, 1e20];
        let found = backend.histogram_by_label(values, &labels.as_operand(), &Bins::edges(&edges), Some(&index));
        let Some(found) = supported(backend, found) else { continue };
        let found = found.typed::<u64>().unwrap().into_ndarray::<IxDyn>().unwrap();
        assert_eq!(found.shape(), [index.len(), edges.len() - 1]);
        for (row, &label) in found.outer_iter().zip(&index) {
            let inside = of(label);
            for (count, pair) in row.iter().zip(edges.windows(2)) {
                let last = pair[1] == 1e20;
                let wanted = inside.iter().filter(|&&x| x >= pair[0] && (x < pair[1] || last && x == pair[1])).count();
                assert_eq!(*count, wanted as u64, "{backend:?} {} {label} {pair:?}", values.dtype());
            }
        }
    }
}

fn check_as<T: Element>(exact: &[f64], labels: &[i16], narrow: impl Fn(f64) -> T, wide: impl Fn(T) -> f64)
where
    Vec<T>: AsOperand,
{
    let values: Vec<T> = exact.iter().map(|&x| narrow(x)).collect();
    let exact: Vec<f64> = values.iter().map(|&x| wide(x)).collect();
    check(&values.as_operand(), &exact, labels);
}

#[test]
fn variances_and_medians_by_label_are_rounded_once() {
    let mut random = Random(51);
    for values in samples(&mut random) {
        let labels: Vec<i16> = values.iter().map(|_| random.below(5) as i16 - 1).collect();
        check(&values.as_operand(), &values, &labels);
        let tame: Vec<f64> = values.iter().map(|x| if x.abs() < 1e38 { *x } else { 0.5 }).collect();
        check_as(&tame, &labels, |x| x as f32, f64::from);
        check_as(&values, &labels, |x| x as i16, f64::from);
        check_as(&values, &labels, |x| x as u8, f64::from);
        // 53 bits, up to both ends of the range.
        check_as(&values, &labels, |x| ((x * 1e3) as i64) >> 11 << 11, |x| x as f64);
    }
}

#[test]
fn what_is_not_finite_decides_by_label() {
    let (inf, nan) = (f64::INFINITY, f64::NAN);
    let values = [1.0, inf, 2.0, nan, 3.0, 7.0, -0.0, -inf];
    let labels = [1i16, 2, 1, 3, 1, 4, 4, 2];
    for backend in devices::all() {
        let of = |op, index: Option<&[i64]>| numbers(backend, &values.as_operand(), &labels, op, index);
        let var = of(GroupOp::Var { ddof: 0 }, Some(&[1, 2, 3, 4, 5])).unwrap();
        assert_eq!(var.map_bits(), [2.0 / 3.0, nan, nan, 12.25, nan].map(bits), "{backend:?}");
        if let Some(median) = of(GroupOp::Median, Some(&[1, 2, 3, 4, 5])) {
            assert_eq!(median.map_bits(), [2.0, nan, nan, 3.5, nan].map(bits), "{backend:?}");
        }
        let all = of(GroupOp::Std { ddof: 0 }, None).unwrap();
        assert!(all.len() == 1 && all[0].is_nan(), "{backend:?}");
    }
    let merged = unisono::GroupPlan::new(
        GroupOp::Median,
        unisono::Groups::Consecutive { first: 0, count: 1 },
        (unisono::Dtype::U8, &[1]),
        Some((unisono::Dtype::U8, &[1])),
    );
    let mut nothing = merged.unwrap().empty();
    assert!(nothing.merge(&nothing.clone(), GroupOp::Median, 0).is_err());
}

trait Bits {
    fn map_bits(&self) -> Vec<u64>;
}

impl Bits for Vec<f64> {
    fn map_bits(&self) -> Vec<u64> {
        self.iter().map(|&x| bits(x)).collect()
    }
}
