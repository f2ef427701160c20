//! Short results are those by themselves, to the bit, and nearly all are decided side by side.

use super::*;
use crate::array::{HostVec, Storage};
use crate::cpu::simd::Simd;
use crate::engine::Target;
use crate::exact::tests::bits;
use crate::plan::Reduce;
use crate::{Control, View};

/// Elements of a kind: near each other, small integers, ties, equal ones, anything, special ones.
fn element(kind: usize, state: &mut u64) -> f64 {
    let b = bits(state);
    let unit = (b >> 11) as f64 / (1u64 << 53) as f64;
    match kind {
        0 => unit,
        1 => (b % 17) as f64 - 8.0,
        2 => 1.0 + (b % 4) as f64 / (1u64 << 52) as f64 * if b >> 63 == 0 { 1.0 } else { 1.0 / 4096.0 },
        3 => 0.1 + (b % 64 / 63) as f64,
        4 => f64::from_bits(b),
        5 => unit * f64::from_bits((1023 - 20 + b % 40) << 52) * if b >> 62 == 1 { -1.0 } else { 1.0 },
        6 => unit * f64::from_bits(((b % 3) * 950) << 52 | 1 << 52),
        7 => 1e9 + unit,
        _ => [0.0, -0.0, -0.0, 1.0, f64::INFINITY, -1.0, f64::NAN, f64::from_bits(3), f64::MAX][(b % (kind as u64 - 5)) as usize],
    }
}

/// The results side by side, and those of partials that were finished.
fn both(how: &Reduce<ReduceOp>, views: &[View<'_>], simd: Simd) -> (HostVec, HostVec) {
    let plan = ReducePlan::new(how, views[0].dtype(), views[0].shape()).unwrap();
    let plan = match views.get(1) {
        Some(second) => plan.with_second(second.dtype(), second.shape()).unwrap(),
        None => plan,
    };
    assert!(fits(&plan), "{how:?} of {:?}", plan.input);
    let control = Control::new();
    let partials = super::super::partials(&plan, views, simd, &control).unwrap();
    let Some(Storage::Host(found)) = super::super::run(&plan, views, Target::Device(None), simd, &control).unwrap() else {
        panic!("no result")
    };
    ((*found).clone(), plan.finish(&partials).unwrap())
}

fn same(found: &HostVec, expected: &HostVec) -> Option<String> {
    macro_rules! floats {
        ($found:expr, $expected:expr) => {
            $found
                .iter()
                .zip($expected)
                .position(|(a, b)| a.to_bits() != b.to_bits())
                .map(|at| format!("{at}: {:e}, expected {:e}", $found[at], $expected[at]))
        };
    }
    match (found, expected) {
        (HostVec::F32(found), HostVec::F32(expected)) => floats!(found, expected),
        (HostVec::F64(found), HostVec::F64(expected)) => floats!(found, expected),
        (found, expected) => (format!("{found:?}") != format!("{expected:?}")).then(|| format!("{found:?}\n{expected:?}")),
    }
}

/// Elements of a kind and those of a second operand, of several dtypes.
fn operands(kind: usize, n: usize, state: &mut u64) -> [[HostVec; 2]; 4] {
    let [wide, others] = [(); 2].map(|()| (0..n).map(|_| element(kind, state)).collect::<Vec<_>>());
    let narrow = |values: &[f64]| HostVec::F32(values.iter().map(|&x| x as f32).collect());
    let integers = |values: &[f64]| values.iter().map(|&x| (x * 1e3) as i32 % 1_000_000).collect::<Vec<_>>();
    let long = |values: &[f64]| HostVec::I64(values.iter().map(|&x| (x * 1e16) as i64 / 5000).collect());
    let few = HostVec::I64(integers(&others).into_iter().map(|x| i64::from(x % 20)).collect());
    [
        [narrow(&wide), narrow(&others)],
        [HostVec::I32(integers(&wide)), HostVec::I32(integers(&others))],
        [long(&wide), few],
        [HostVec::F64(wide), HostVec::F64(others)],
    ]
}

/// The reductions of a dtype over an axis, with what options there are.
fn reductions(dtype: Dtype, axis: isize, len: usize) -> Vec<Reduce<ReduceOp>> {
    use ReduceOp::*;
    let mut hows = vec![];
    for op in [Sum, Mean, Var, Std, Norm(NormOrder::Two), Min, Max, Any, All, CountNonzero, Dot] {
        let how = Reduce::of(op).axes(&[axis]);
        let divided = matches!(op, Mean | Var | Std | Norm(_));
        if divided && dtype == Dtype::I64 {
            continue;
        }
        if divided || (dtype.is_float() && matches!(op, Sum | Dot)) {
            hows.extend([Dtype::F32, Dtype::F64].map(|dtype| how.clone().out_dtype(dtype)));
        }
        if matches!(op, Var | Std) && len > 1 {
            hows.push(how.clone().ddof(1));
        }
        hows.push(how);
    }
    hows
}

#[test]
fn results_side_by_side_have_the_bits_of_those_by_themselves() {
    // Other levels have a run of the tests for themselves.
    let (simd, count, mut state) = (Simd::current(), 150, 5);
    for (len, kind) in [1, 2, 3, 7, 16, MOST].into_iter().flat_map(|len| (0..15).map(move |kind| (len, kind))) {
        for [vec, other] in operands(kind, len * count, &mut state) {
            for (shape, axis) in [([count, len], 1), ([len, count], 0)] {
                for how in reductions(vec.dtype(), axis, len) {
                    let views = [vec.view(&shape), other.view(&shape)];
                    let (found, expected) = both(&how, &views[..if how.op == ReduceOp::Dot { 2 } else { 1 }], simd);
                    assert_eq!(same(&found, &expected), None, "{how:?} of {shape:?} {}, kind {kind}", vec.dtype());
                }
            }
        }
    }
}

/// What is decided one by one costs as much as before. Of data without ends of the range that is next to none, but for the means of
/// ten and the deviations of two: some lie in the middle of two numbers.
#[test]
fn nearly_all_results_of_plain_data_are_decided_side_by_side() {
    let mut state = 6;
    for op in [ReduceOp::Sum, ReduceOp::Mean, ReduceOp::Var, ReduceOp::Std, ReduceOp::Norm(NormOrder::Two), ReduceOp::Dot] {
        for narrow in [false, true] {
            for len in [2, 3, 10, MOST] {
                let mut unknown = 0;
                for _ in 0..200 {
                    let mut draw = || -> Vec<Lanes> {
                        let of = |x: f64| if narrow { f64::from(x as f32) } else { x };
                        (0..len).map(|_| std::array::from_fn(|_| of(element(0, &mut state)))).collect()
                    };
                    let (rows, others) = (draw(), draw());
                    let others = if op == ReduceOp::Dot { &others } else { &rows };
                    let mut ends = Ends { low: [0.0; SIDE], high: [0.0; SIDE] };
                    Simd::current().run(Block { op, ddof: 0, narrow, rows: &rows, others, ends: &mut ends });
                    let decided = |(&low, &high): (&f64, &f64)| if narrow { low as f32 == high as f32 } else { low == high };
                    unknown += ends.low.iter().zip(&ends.high).filter(|&ends| !decided(ends)).count();
                }
                assert!(unknown <= 200 * SIDE / 8, "{op:?} {narrow} {len}: {unknown} of {}", 200 * SIDE);
            }
        }
    }
}
