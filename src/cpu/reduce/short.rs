//! Many results of few elements each: side by side in lanes.
//!
//! The sum of a few numbers is nearly always the sum of two: of `s`, which plain additions give, and of `e`, what they leave (Knuth's
//! TwoSum, whose own losses are looked at). Then one rounding of `s + e` is that of the exact sum. Means, variances, norms and dot
//! products are computed as the sum of two numbers with a bound of the error, and taken where both ends of the interval round to the same
//! number (Ziv, "Fast evaluation of elementary mathematical functions with correctly rounded last bit", ACM TOMS 17, 1991). What is not
//! decided so, non-finite numbers among it, is computed exactly, result by result. So the bits are those of the other ways.

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::Run;
use super::layout::Layout;
use super::sum::Integer;
use crate::cpu::simd::Kernel;
use crate::cpu::tasks::{for_each, threads};
use crate::dtype::private::Host;
use crate::dtype::with_dtype;
use crate::exact::fast::{Float, two_sum};
use crate::exact::{ExactDot, Moments};
use crate::plan::{NormOrder, Ordered, ReduceOp, ReducePlan};
use crate::view::ViewMut;
use crate::{Dtype, ExactSum, Real, Result};

/// Results side by side.
const SIDE: usize = 64;
/// Elements of a result at most: of more, rows by themselves are as fast.
const MOST: usize = 47;
/// Results of a task.
const TASK: usize = 64 * SIDE;

type Lanes = [f64; SIDE];

/// Whether a plan has results of few elements, and enough of them.
pub(super) fn fits(plan: &ReducePlan) -> bool {
    let (len, count) = (plan.reduce_len(), plan.out_len());
    let free = plan.initial.is_none() && !plan.is_counted() && !plan.skip_nan;
    let float = matches!(plan.out_dtype, Dtype::F32 | Dtype::F64);
    (1..=MOST).contains(&len)
        && count >= SIDE / 2
        && free
        && match plan.op {
            ReduceOp::Sum | ReduceOp::Mean | ReduceOp::Dot | ReduceOp::Norm(NormOrder::Two) if plan.dtype.is_float() => float,
            ReduceOp::Var | ReduceOp::Std => {
                plan.ddof < len as u64 && plan.dtype.size() <= if plan.dtype.is_float() { 8 } else { 4 }
            }
            ReduceOp::Mean | ReduceOp::Norm(NormOrder::Two) => plan.dtype.size() <= 4,
            ReduceOp::Sum | ReduceOp::Dot => plan.is_plain(),
            ReduceOp::Min | ReduceOp::Max | ReduceOp::Any | ReduceOp::All | ReduceOp::CountNonzero => true,
            _ => false,
        }
}

/// A number that binary64 holds.
trait Held: Real {
    fn held(self) -> f64;
}

macro_rules! held {
    ($($T:ty),*) => {$(impl Held for $T {
        #[inline(always)]
        fn held(self) -> f64 {
            self.into()
        }
    })*};
}
held!(f32, f64, bool, u8, i8, u16, i16, u32, i32);

/// Runs `$body` with `$T` bound to the type of a dtype that binary64 holds.
macro_rules! with_held {
    ($dtype:expr, $T:ident => $body:expr, else $other:expr) => {
        with_held!(@ $dtype, $T $body, $other; F32 f32, F64 f64, Bool bool, U8 u8, I8 i8, U16 u16, I16 i16, U32 u32, I32 i32)
    };
    (@ $dtype:expr, $T:ident $body:expr, $other:expr; $($variant:ident $type:ty),*) => {
        match $dtype {
            $(Dtype::$variant => { type $T = $type; $body })*
            _ => $other,
        }
    };
}

/// A number with its lower 27 bits cleared, and the rest.
#[inline(always)]
fn split(a: f64) -> (f64, f64) {
    let high = f64::from_bits(a.to_bits() & !((1 << 27) - 1));
    (high, a - high)
}

/// `a · b`, and what is left of it, within 2^-106 of the product.
#[inline(always)]
fn two_product<const BYTES: usize>(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    // With vectors this wide come fused multiply-adds.
    if BYTES >= 32 {
        return (product, a.mul_add(b, -product));
    }
    let ((a, c), (b, d)) = (split(a), split(b));
    (product, ((a * b - product) + (a * d + c * b)) + c * d)
}

/// `a / b`, and what is left of it times `b`, of an integer `b` below 2^12.
#[inline(always)]
fn divide(a: f64, b: f64) -> (f64, f64) {
    let quotient = a / b;
    let (high, low) = split(quotient);
    (quotient, (a - high * b) - low * b)
}

/// Sums of the lanes: what additions give, what they leave, and what additions of that leave.
struct Sums {
    sum: Lanes,
    rest: Lanes,
    lost: Lanes,
}

/// Sums of squares or products, whose rest is rounded.
struct Products {
    sum: Lanes,
    rest: Lanes,
    /// 0 if nothing was left.
    inexact: Lanes,
    /// The sum of the magnitudes.
    magnitude: Lanes,
    /// 0 if all elements are equal.
    apart: Lanes,
}

/// Numbers between which the results lie; NaN where nothing is known.
struct Ends {
    low: Lanes,
    high: Lanes,
}

/// The results of a block, computed side by side.
struct Block<'a> {
    op: ReduceOp,
    ddof: u64,
    narrow: bool,
    /// The elements, and those of the second operand.
    rows: &'a [Lanes],
    others: &'a [Lanes],
    ends: &'a mut Ends,
}

impl Block<'_> {
    /// Adds the elements.
    // Plain index loops of constant length are what the compiler unrolls into registers.
    #[allow(clippy::needless_range_loop)]
    #[inline(always)]
    fn add(&self) -> Sums {
        let mut sums = Sums { sum: self.rows[0], rest: [0.0; SIDE], lost: [0.0; SIDE] };
        for row in &self.rows[1..] {
            for i in 0..SIDE {
                let (sum, left) = two_sum(sums.sum[i], row[i]);
                let (rest, lost) = two_sum(sums.rest[i], left);
                (sums.sum[i], sums.rest[i]) = (sum, rest);
                sums.lost[i] += lost.abs();
            }
        }
        sums
    }

    /// Adds their squares, or the products with the others.
    #[inline(always)]
    fn multiply<const BYTES: usize>(&self) -> Products {
        let none = [0.0; SIDE];
        let mut sums = Products { sum: none, rest: none, inexact: none, magnitude: none, apart: none };
        for (row, other) in self.rows.iter().zip(self.others) {
            for i in 0..SIDE {
                let (product, left) = two_product::<BYTES>(row[i], other[i]);
                let (sum, more) = two_sum(sums.sum[i], product);
                sums.sum[i] = sum;
                sums.rest[i] += more + left;
                sums.inexact[i] += more.abs() + left.abs();
                sums.magnitude[i] += product.abs();
                sums.apart[i] += (row[i] - self.rows[0][i]).abs();
            }
        }
        sums
    }

    /// The interval of a lane from a value, a small correction of it and the error of that.
    #[inline(always)]
    fn put(&mut self, i: usize, value: f64, correction: f64, error: f64) {
        let (mut low, mut high) = (value + (correction - error), value + (correction + error));
        // Of a result in binary32 the value is rounded twice, unless it is exact.
        if self.narrow && (correction != 0.0 || error != 0.0) {
            (low, high) = (low - low.abs() * WIDER, high + high.abs() * WIDER);
        }
        (self.ends.low[i], self.ends.high[i]) = (low, high);
    }

    #[inline(always)]
    fn sums<const BYTES: usize>(&mut self) {
        let sums = self.add();
        for i in 0..SIDE {
            // A zero of the rest is +0, and would take the sign of a sum of −0.
            let rest = sums.rest[i];
            self.put(i, sums.sum[i], if rest == 0.0 { -0.0 } else { rest }, 0.0);
            if !(sums.lost[i] == 0.0 && rest.is_finite()) {
                self.ends.low[i] = f64::NAN;
            }
        }
    }

    #[inline(always)]
    fn means<const BYTES: usize>(&mut self) {
        let sums = self.add();
        let count = self.rows.len() as f64;
        let halves = self.rows.len().is_power_of_two();
        for i in 0..SIDE {
            let (sum, rest) = two_sum(sums.sum[i], sums.rest[i]);
            let sum = if sums.rest[i] == 0.0 { sums.sum[i] } else { sum };
            let (mean, left) = divide(sum, count);
            let correction = (left + rest) / count;
            if rest == 0.0 && (!self.narrow || left == 0.0) {
                // One division, of an exact sum.
                (self.ends.low[i], self.ends.high[i]) = (mean, mean);
            } else {
                self.put(i, mean, correction, if halves { 0.0 } else { correction.abs() * ROUNDED });
            }
            if !(sums.lost[i] == 0.0 && rest.is_finite() && (mean.abs() > LEAST || sum == 0.0)) {
                self.ends.low[i] = f64::NAN;
            }
        }
    }

    #[inline(always)]
    fn deviations<const BYTES: usize>(&mut self) {
        let (sums, squares) = (self.add(), self.multiply::<BYTES>());
        let count = self.rows.len() as f64;
        let divisor = count * (self.rows.len() as u64 - self.ddof) as f64;
        let root = self.op == ReduceOp::Std;
        for i in 0..SIDE {
            // count · Σx² − (Σx)²
            let (sum, rest) = two_sum(sums.sum[i], sums.rest[i]);
            let (all, all_left) = two_product::<BYTES>(count, squares.sum[i]);
            let (square, square_left) = two_product::<BYTES>(sum, sum);
            let (difference, left) = two_sum(all, -square);
            let low = left + ((all_left + count * squares.rest[i]) - (square_left + 2.0 * sum * rest));
            let (difference, low) = two_sum(difference, low);
            let exact = squares.inexact[i] + rest.abs() + all_left.abs() + square_left.abs() == 0.0;
            let error = if exact { 0.0 } else { all * CANCELLED };
            let (value, left) = divide(difference, divisor);
            let correction = (left + low) / divisor;
            let error = correction.abs() * ROUNDED + error / divisor * NEARLY;
            let known = sums.lost[i] == 0.0 && all > LEAST && all < GREATEST && value > LEAST;
            self.put_root::<BYTES>(root, i, (value, correction, error), known);
            if squares.apart[i] == 0.0 {
                (self.ends.low[i], self.ends.high[i]) = (0.0, 0.0);
            }
        }
    }

    #[inline(always)]
    fn norms<const BYTES: usize>(&mut self) {
        let sums = self.multiply::<BYTES>();
        for i in 0..SIDE {
            let (value, correction) = two_sum(sums.sum[i], sums.rest[i]);
            let error = if sums.inexact[i] == 0.0 { 0.0 } else { value * CANCELLED };
            self.put_root::<BYTES>(true, i, (value, correction, error), value > LEAST && value < GREATEST);
            if sums.apart[i] == 0.0 && self.rows[0][i] == 0.0 {
                (self.ends.low[i], self.ends.high[i]) = (0.0, 0.0);
            }
        }
    }

    #[inline(always)]
    fn dots<const BYTES: usize>(&mut self) {
        let sums = self.multiply::<BYTES>();
        for i in 0..SIDE {
            let magnitude = sums.magnitude[i];
            let error = if sums.inexact[i] == 0.0 { 0.0 } else { magnitude * CANCELLED };
            self.put(i, sums.sum[i], sums.rest[i], error);
            if !(magnitude > LEAST && magnitude < GREATEST && sums.sum[i] != 0.0) {
                self.ends.low[i] = f64::NAN;
            }
        }
    }

    /// Puts a value with its correction and error, or the root of it.
    #[inline(always)]
    fn put_root<const BYTES: usize>(&mut self, root: bool, i: usize, (value, correction, error): (f64, f64, f64), known: bool) {
        if root {
            let of = value.sqrt();
            let (square, left) = two_product::<BYTES>(of, of);
            let small = (((value - square) - left) + correction) / (2.0 * of);
            self.put(i, of, small, small.abs() * ROUNDED + error / of * NEARLY + of * CANCELLED);
        } else {
            self.put(i, value, correction, error);
        }
        if !known {
            self.ends.low[i] = f64::NAN;
        }
    }
}

/// More than the roundings of a correction make of it.
const ROUNDED: f64 = 1.0 / (1u64 << 49) as f64;
/// Half a unit of binary64, and more.
const WIDER: f64 = 1.0 / (1u64 << 51) as f64;
/// More than what the sum of two numbers has lost of sums of at most [`MOST`] products: 2^-90, where MOST² · 2^-106 is much less.
const CANCELLED: f64 = ROUNDED / (1u64 << 41) as f64;
/// More than the rounding of an error.
const NEARLY: f64 = 1.0 + 1.0 / 1024.0;
/// Numbers whose products, and what is left of those, are far from the ends of binary64: 2^-800 and 2^800.
const LEAST: f64 = f64::from_bits((1023 - 800) << 52);
const GREATEST: f64 = f64::from_bits((1023 + 800) << 52);

impl Kernel for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(mut self) {
        match self.op {
            ReduceOp::Sum => self.sums::<BYTES>(),
            ReduceOp::Mean => self.means::<BYTES>(),
            ReduceOp::Dot => self.dots::<BYTES>(),
            ReduceOp::Norm(_) => self.norms::<BYTES>(),
            _ => self.deviations::<BYTES>(),
        }
    }
}

/// Copies a row into lanes.
struct Hold<'a, T>(&'a [T], &'a mut Lanes);

impl<T: Held> Kernel for Hold<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for (lane, value) in self.1.iter_mut().zip(self.0) {
            *lane = value.held();
        }
    }
}

/// A result, exactly, by the way of big numbers.
fn exactly(plan: &ReducePlan, elements: impl Iterator<Item = (f64, f64)>) -> f64 {
    match plan.op {
        ReduceOp::Sum | ReduceOp::Mean => {
            let mut sum = ExactSum::new();
            elements.for_each(|(x, _)| sum.push(x));
            sum.read(plan.format(), (plan.op == ReduceOp::Mean).then_some(plan.reduce_len() as u64))
        }
        ReduceOp::Dot | ReduceOp::Norm(_) => {
            let mut dot = ExactDot::new();
            elements.for_each(|(x, y)| dot.push(x, y));
            plan.product(&dot)
        }
        _ => {
            let mut moments = Moments::new();
            elements.for_each(|(x, _)| moments.push(x));
            plan.deviation(&moments)
        }
    }
}

impl Run<'_> {
    /// Computes the results of a plan that [`fits`] into contiguous memory.
    pub(super) fn short(&self, out: &mut ViewMut<'_>) -> Result<()> {
        let dtype = self.plan.dtype;
        let single = self.plan.out_dtype == Dtype::F32;
        match self.plan.op {
            ReduceOp::Min | ReduceOp::Max => {
                let smaller = self.plan.op.is_smaller();
                with_dtype!(dtype, T => {
                    let better = |best: u64, x: &T| {
                        let key = x.extreme_key(smaller);
                        if smaller { best.min(key) } else { best.max(key) }
                    };
                    let first = if smaller { u64::MAX } else { 0 };
                    self.side_by_side::<T, _, _>(first, better, |key| Ok(T::from_key(key)), self.slice::<T>(out)?)
                })
            }
            ReduceOp::CountNonzero => with_dtype!(dtype, T => {
                self.side_by_side::<T, _, _>(0, |n: u64, x| n + u64::from(*x != T::ZERO), Ok, self.slice::<u64>(out)?)
            }),
            ReduceOp::Any | ReduceOp::All => {
                let wanted = if self.plan.op == ReduceOp::All { self.plan.reduce_len() as u64 } else { 1 };
                with_dtype!(dtype, T => {
                    let count = |n: u64, x: &T| n + u64::from(*x != T::ZERO);
                    self.side_by_side::<T, _, _>(0, count, |n| Ok(n >= wanted), self.slice::<bool>(out)?)
                })
            }
            ReduceOp::Sum | ReduceOp::Dot if !dtype.is_float() => with_number!(
                dtype,
                float F => self.unexpected::<F>(),
                integer I => {
                    let finish = |sum: i128| <<I as Real>::Sum as TryFrom<i128>>::try_from(sum).map_err(|_| self.overflow());
                    let out = self.slice::<<I as Real>::Sum>(out)?;
                    if self.plan.op == ReduceOp::Dot {
                        return self.integer_dots::<I>(finish, out);
                    }
                    self.side_by_side::<I, _, _>(0i128, |sum, x| sum + x.value(), finish, out)
                }
            ),
            _ => with_held!(
                dtype,
                T => if single { self.short_floats::<T, f32>(self.slice(out)?) } else { self.short_floats::<T, f64>(self.slice(out)?) },
                else self.unexpected::<bool>()
            ),
        }
    }

    /// Runs tasks, each for the results from one on.
    fn tasks<O: Send>(&self, out: &mut [O], task: impl Fn(usize, &mut [O]) -> Result<()> + Sync) -> Result<()> {
        let share = TASK.min(out.len().div_ceil(4 * threads()).next_multiple_of(SIDE));
        let parts: Vec<_> = out.chunks_mut(share).map(Mutex::new).collect();
        for_each(parts.len(), 1, &|number| {
            self.control.check()?;
            let mut part = parts[number].lock().unwrap_or_else(PoisonError::into_inner);
            task(number * share, &mut part)?;
            self.control.advance((part.len() * self.plan.reduce_len()) as u64);
            Ok(())
        })
    }

    /// Folds the elements of each result in any order.
    fn side_by_side<T: Real, A: Copy + Send + Sync, O: Send>(
        &self,
        start: A,
        fold: impl Fn(A, &T) -> A + Sync,
        finish: impl Fn(A) -> Result<O> + Sync,
        out: &mut [O],
    ) -> Result<()> {
        let layout = Layout::<T>::ordered(self.plan, &self.input)?;
        self.tasks(out, |first, out| {
            let mut buffer = Vec::new();
            for (first, out) in (first..).step_by(SIDE).zip(out.chunks_mut(SIDE)) {
                let mut lanes = [start; SIDE];
                for r in 0..self.plan.reduce_len() {
                    let row = layout.fetch_across(r, first..first + out.len(), &mut buffer);
                    lanes.iter_mut().zip(row).for_each(|(lane, x)| *lane = fold(*lane, x));
                }
                for (out, lane) in out.iter_mut().zip(lanes) {
                    *out = finish(lane)?;
                }
            }
            Ok(())
        })
    }

    fn integer_dots<T: Integer>(
        &self,
        finish: impl Fn(i128) -> Result<<T as Real>::Sum> + Sync,
        out: &mut [<T as Real>::Sum],
    ) -> Result<()> {
        let Some(second) = &self.second else { return self.unexpected::<T>() };
        let (layout, others) = (Layout::<T>::ordered(self.plan, &self.input)?, Layout::<T>::ordered(self.plan, second)?);
        self.tasks(out, |first, out| {
            let mut buffers = (Vec::new(), Vec::new());
            for (first, out) in (first..).step_by(SIDE).zip(out.chunks_mut(SIDE)) {
                // The sum modulo 2^128, and how often it went around.
                let mut lanes = [(0i128, 0i8); SIDE];
                for r in 0..self.plan.reduce_len() {
                    let row = layout.fetch_across(r, first..first + out.len(), &mut buffers.0);
                    let other = others.fetch_across(r, first..first + out.len(), &mut buffers.1);
                    for ((sum, turns), (x, y)) in lanes.iter_mut().zip(row.iter().zip(other)) {
                        let product = x.value() * y.value();
                        let (next, around) = sum.overflowing_add(product);
                        *sum = next;
                        *turns += i8::from(around) * product.signum() as i8;
                    }
                }
                for (out, (sum, turns)) in out.iter_mut().zip(lanes) {
                    *out = finish(if turns == 0 { sum } else { i128::MAX })?;
                }
            }
            Ok(())
        })
    }

    /// Results in floats.
    fn short_floats<T: Held, O: Float>(&self, out: &mut [O]) -> Result<()> {
        let (plan, len) = (self.plan, self.plan.reduce_len());
        let layout = Layout::<T>::ordered(plan, &self.input)?;
        let second = self.second.as_ref().map(|second| Layout::<T>::ordered(plan, second)).transpose()?;
        self.tasks(out, |first, out| {
            let mut buffer = Vec::new();
            let mut hold = |layout: &Layout<'_, T>, range: Range<usize>, rows: &mut [Lanes]| {
                for (r, lanes) in rows.iter_mut().enumerate() {
                    self.simd.run(Hold(layout.fetch_across(r, range.clone(), &mut buffer), lanes));
                }
            };
            let (mut rows, mut others) = (vec![[0.0; SIDE]; len], vec![[0.0; SIDE]; if second.is_some() { len } else { 0 }]);
            let mut ends = Ends { low: [0.0; SIDE], high: [0.0; SIDE] };
            for (first, out) in (first..).step_by(SIDE).zip(out.chunks_mut(SIDE)) {
                let range = first..first + out.len();
                hold(&layout, range.clone(), &mut rows);
                if let Some(second) = &second {
                    hold(second, range, &mut others);
                }
                let others = if second.is_some() { &others } else { &rows };
                self.simd.run(Block { op: plan.op, ddof: plan.ddof, narrow: O::NARROW, rows: &rows, others, ends: &mut ends });
                for (i, out) in out.iter_mut().enumerate() {
                    let [low, high] = [ends.low[i], ends.high[i]].map(O::of);
                    let elements = rows.iter().zip(others).map(|(x, y)| (x[i], y[i]));
                    // NaN differs from itself.
                    *out = if low == high { low } else { O::of(exactly(plan, elements)) };
                }
            }
            Ok(())
        })
    }
}
