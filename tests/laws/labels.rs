//! Variances, medians and histograms by label are their definition, label by label.

use ndarray::IxDyn;
use unisono::{AsOperand, Backend, Bins, Element, GroupOp, LabelPartials, Operand};

use crate::devices::{self, Random};
use crate::moments::{root, samples, variance};
use crate::oracle;

fn numbers(backend: &Backend, values: &Operand<'_>, labels: &[i16], op: GroupOp, index: Option<&[i64]>) -> Vec<f64> {
    let result = backend.reduce_by_label(values, &labels.as_operand(), op, index);
    result.unwrap_or_else(|error| panic!("{backend:?}: {error}")).typed::<f64>().unwrap().into_vec().unwrap()
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
            let var = numbers(backend, values, labels, GroupOp::Var { ddof: at }, Some(&index));
            let std = numbers(backend, values, labels, GroupOp::Std { ddof: at }, Some(&index));
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
        let medians = numbers(backend, values, labels, GroupOp::Median, Some(&index));
        for (&label, found) in index.iter().zip(medians) {
            let mut inside = of(label);
            inside.sort_by(f64::total_cmp);
            let n = inside.len();
            let middle = |at: usize| oracle::exact(inside[at]);
            let wanted =
                if n == 0 { f64::NAN } else { oracle::to_f64(&((middle((n - 1) / 2) + middle(n / 2)) / oracle::whole(2))) };
            assert_eq!(bits(found + 0.0), bits(wanted + 0.0), "{backend:?} {} {label}", values.dtype());
        }
        let edges = [-1e20, -1.0, 0.0, 0.5, 1e20];
        let found = backend.histogram_by_label(values, &labels.as_operand(), &Bins::edges(&edges), Some(&index));
        let found =
            found.unwrap_or_else(|error| panic!("{backend:?}: {error}")).typed::<u64>().unwrap().into_ndarray::<IxDyn>().unwrap();
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
        let var = of(GroupOp::Var { ddof: 0 }, Some(&[1, 2, 3, 4, 5]));
        assert_eq!(var.map_bits(), [2.0 / 3.0, nan, nan, 12.25, nan].map(bits), "{backend:?}");
        let median = of(GroupOp::Median, Some(&[1, 2, 3, 4, 5]));
        assert_eq!(median.map_bits(), [2.0, nan, nan, 3.5, nan].map(bits), "{backend:?}");
        let all = of(GroupOp::Std { ddof: 0 }, None);
        assert!(all.len() == 1 && all[0].is_nan(), "{backend:?}");
    }
    let merged = unisono::GroupPlan::new(
        GroupOp::Median,
        unisono::Groups::Consecutive { first: 0, count: 1 },
        (unisono::Dtype::U8, &[1]),
        Some((unisono::Dtype::U8, &[1])),
    );
    let mut nothing = merged.unwrap().empty().unwrap();
    assert!(nothing.merge(&nothing.clone(), GroupOp::Median, 0).is_err());
}

#[test]
fn parts_by_label_merge_to_the_bits_of_the_whole() {
    let mut random = Random(52);
    let n = 3000;
    let values: Vec<f64> = (0..n).map(|_| random.unit() * 10f64.powi(random.below(40) as i32 - 20)).collect();
    let integers: Vec<i32> = values.iter().map(|x| (x * 1e3) as i32).collect();
    let labels: Vec<i16> = (0..n).map(|_| random.below(5) as i16 - 1).collect();
    let index = [3i64, -2, 0, 77, 1 << 40, 3];
    for backend in devices::all() {
        for op in GroupOp::ALL.map(|op| op.ddof(1)).into_iter().filter(|op| op.is_mergeable()) {
            for index in [Some(&index[..]), None] {
                let all = |values: &dyn Fn(std::ops::Range<usize>) -> LabelPartials, whole: unisono::DynArray| {
                    let mut merged = values(0..7);
                    for range in [7..7, 7..1500, 1500..n] {
                        let part = values(range);
                        merged.merge(&LabelPartials::from_bytes(&part.to_bytes()).unwrap()).unwrap();
                    }
                    assert_eq!(merged.elements(), n as u64);
                    let merged = merged.finish().unwrap();
                    assert_eq!(merged.shape(), whole.shape());
                    let text = |array: unisono::DynArray| format!("{:?}", array.into_host().unwrap());
                    assert_eq!(text(merged), text(whole), "{backend:?} {op:?} {index:?}");
                };
                let part = |range: std::ops::Range<usize>| {
                    let (values, labels) = (&values[range.clone()], &labels[range]);
                    backend.label_partials(&values.as_operand(), &labels.as_operand(), op, index).unwrap()
                };
                all(&part, backend.reduce_by_label(&values.as_operand(), &labels.as_operand(), op, index).unwrap());
                let part = |range: std::ops::Range<usize>| {
                    let (values, labels) = (&integers[range.clone()], &labels[range]);
                    backend.label_partials(&values.as_operand(), &labels.as_operand(), op, index).unwrap()
                };
                all(&part, backend.reduce_by_label(&integers.as_operand(), &labels.as_operand(), op, index).unwrap());
            }
        }
    }
    let cpu = Backend::cpu();
    let make = |op, index: &[i64]| cpu.label_partials(&[1.0].as_operand(), &[1u8].as_operand(), op, Some(index)).unwrap();
    let mut sums = make(GroupOp::Sum, &[1, 2]);
    for (other, word) in [(make(GroupOp::Mean, &[1, 2]), "Mean"), (make(GroupOp::Sum, &[2, 1]), "other labels")] {
        assert!(sums.merge(&other).unwrap_err().to_string().contains(word));
    }
    let narrow = cpu.label_partials(&[1f32].as_operand(), &[1u8].as_operand(), GroupOp::Sum, Some(&[1, 2])).unwrap();
    assert!(sums.merge(&narrow).unwrap_err().to_string().contains("float32"));
    assert!(make(GroupOp::Var { ddof: 0 }, &[1]).merge(&make(GroupOp::Var { ddof: 1 }, &[1])).is_err());
    assert!(cpu.label_partials(&[1.0].as_operand(), &[1u8].as_operand(), GroupOp::Median, None).is_err());
    let bytes = sums.to_bytes();
    for cut in 0..bytes.len() {
        assert!(LabelPartials::from_bytes(&bytes[..cut]).is_err(), "{cut}");
    }
    for (at, value, word) in
        [(0, 2, "version 2"), (1, 99, "operation 99"), (2, 99, "dtype 99"), (4, 1, "flags"), (24, 99, "bytes")]
    {
        let mut bytes = bytes.clone();
        bytes[at] = value;
        let error = LabelPartials::from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

trait Bits {
    fn map_bits(&self) -> Vec<u64>;
}

impl Bits for Vec<f64> {
    fn map_bits(&self) -> Vec<u64> {
        self.iter().map(|&x| bits(x)).collect()
    }
}
