//! Scans whose results have another dtype than the operation gives, or that pass over NaN.
//!
//! Floats are rounded from the exact running sum as ever. Integers are scanned in 128 bits, and narrowed or rounded then.

use super::{FloatProducts, FloatSum, Scanner, Whole, scan, slice};
use crate::cpu::lanes::Shared;
use crate::cpu::simd::Simd;
use crate::cpu::tasks::for_each;
use crate::exact::round::{BINARY32, BINARY64, fixed};
use crate::plan::{IntegerProduct, Overflow, ScanOp, ScanPlan};
use crate::view::{View, ViewMut};
use crate::{Control, Dtype, Error, Result};

/// Results that a task converts at a time.
const CHUNK: usize = 1 << 14;

pub(super) fn dispatch(plan: &ScanPlan, input: &View<'_>, mut out: ViewMut<'_>, simd: Simd, control: &Control) -> Result<()> {
    macro_rules! floats {
        ($T:ty, $O:ty) => {{
            let out = slice::<$O>(&mut out, plan)?;
            match plan.op {
                ScanOp::Product => scan::<$T, _>(&FloatProducts::<$O>::new(plan), plan, input, out, control),
                _ => scan::<$T, _>(&FloatSum::<$O>::new(plan, simd), plan, input, out, control),
            }
        }};
    }
    macro_rules! integers {
        ($($variant:ident $T:ty;)*) => {
            match (plan.lanes.dtype, plan.out_dtype) {
                (Dtype::F32, Dtype::F32) => floats!(f32, f32),
                (Dtype::F32, _) => floats!(f32, f64),
                (Dtype::F64, Dtype::F32) => floats!(f64, f32),
                (Dtype::F64, _) => floats!(f64, f64),
                $((Dtype::$variant, _) => wide::<$T>(plan, input, out, control),)*
                (dtype, _) => Err(Error::Dtype { what: plan.op.name().into(), got: dtype, expected: "a real dtype".into() }),
            }
        };
    }
    integers! {
        Bool bool; U8 u8; I8 i8; U16 u16; I16 i16; U32 u32; I32 i32; U64 u64; I64 i64;
    }
}

/// Scans integers in 128 bits, then converts.
fn wide<T: Whole>(plan: &ScanPlan, input: &View<'_>, mut out: ViewMut<'_>, control: &Control) -> Result<()> {
    let mut exact = vec![0i128; plan.shape.iter().product()];
    match plan.op {
        ScanOp::Product => scan::<T, _>(&Products { wrapping: plan.wrapping }, plan, input, &mut exact, control)?,
        _ => scan::<T, _>(&Sums, plan, input, &mut exact, control)?,
    }
    let overflow = || Error::Overflow { op: plan.op.name(), out_dtype: plan.out_dtype };
    macro_rules! narrow {
        ($($variant:ident $O:ty;)*) => {
            match plan.out_dtype {
                Dtype::F32 => convert(&exact, slice::<f32>(&mut out, plan)?, |x| Ok(fixed(BINARY32, x, 0) as f32)),
                Dtype::F64 => convert(&exact, slice::<f64>(&mut out, plan)?, |x| Ok(fixed(BINARY64, x, 0))),
                $(Dtype::$variant if plan.wrapping => convert(&exact, slice::<$O>(&mut out, plan)?, |x| Ok(x as $O)),
                Dtype::$variant => {
                    convert(&exact, slice::<$O>(&mut out, plan)?, |x| <$O>::try_from(x).map_err(|_| overflow()))
                })*
                dtype => Err(Error::Dtype { what: "output".into(), got: dtype, expected: "a real dtype".into() }),
            }
        };
    }
    narrow! { U8 u8; I8 i8; U16 u16; I16 i16; U32 u32; I32 i32; U64 u64; I64 i64; }
}

fn convert<O: Copy + Send>(exact: &[i128], out: &mut [O], to: impl Fn(i128) -> Result<O> + Sync) -> Result<()> {
    let shared = Shared::new(out);
    for_each(exact.len().div_ceil(CHUNK), 1, &|task| {
        let range = task * CHUNK..exact.len().min((task + 1) * CHUNK);
        // SAFETY: each task has its own results.
        let out = unsafe { shared.slice(range.clone()) };
        out.iter_mut().zip(&exact[range]).try_for_each(|(out, &x)| to(x).map(|x| *out = x))
    })
}

/// Running sums in 128 bits, which hold those of 2^64 integers.
struct Sums;

impl<T: Whole> Scanner<T> for Sums {
    type Out = i128;
    type Total = i128;
    type Walk = i128;

    fn nothing(&self) -> i128 {
        0
    }
    fn block(&self, total: &mut i128, values: &[T]) {
        *total += values.iter().map(|value| value.whole()).sum::<i128>();
    }
    fn merge(&self, total: &mut i128, later: &i128) {
        *total += later;
    }
    fn walk(&self, total: &i128) -> i128 {
        *total
    }
    #[inline(always)]
    fn step(&self, walk: &mut i128, value: T) -> i128 {
        *walk += value.whole();
        *walk
    }
    fn identity(&self) -> i128 {
        0
    }
}

/// Running products: exact in 128 bits; beyond them their low 64 bits if they wrap, else a number that nothing holds.
struct Products {
    wrapping: bool,
}

impl<T: Whole> Scanner<T> for Products {
    type Out = i128;
    type Total = IntegerProduct;
    type Walk = IntegerProduct;

    fn nothing(&self) -> IntegerProduct {
        IntegerProduct::ONE
    }
    fn block(&self, total: &mut IntegerProduct, values: &[T]) {
        values.iter().for_each(|value| total.push(value.whole()));
    }
    fn merge(&self, total: &mut IntegerProduct, later: &IntegerProduct) {
        total.merge(*later);
    }
    fn walk(&self, total: &IntegerProduct) -> IntegerProduct {
        *total
    }
    #[inline(always)]
    fn step(&self, walk: &mut IntegerProduct, value: T) -> i128 {
        walk.push(value.whole());
        walk.or_beyond(if self.wrapping { Overflow::Wrap } else { Overflow::Error })
    }
    fn identity(&self) -> i128 {
        1
    }
}
