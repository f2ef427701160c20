//! Scans on the CPU.
//!
//! A lane is cut into blocks of a fixed length. Where one lane has to keep several threads busy, the blocks of a stretch
//! that fits the caches are summed at once, then scanned at once, each from the sum of all before it: memory is read once.
//! Lanes that lie side by side are scanned together, row by row. Results depend on neither threads nor cuts: running sums
//! of floats are exact values, rounded once, and products group their factors by block.

mod converted;

use std::marker::PhantomData;
use std::ops::Range;

use super::lanes::{Lanes, Shared};
use super::simd::{Kernel, Simd};
use super::tasks::{for_each, threads};
use crate::array::{HostVec, Storage};
use crate::engine::Target;
use crate::exact::accumulator::Accumulator;
use crate::exact::fast::Float;
use crate::exact::prefix::{Prefix, Rounded};
use crate::plan::{First, FloatProduct, ScanOp, ScanPlan};
use crate::view::{View, ViewMut};
use crate::{Control, Dtype, Error, Real, Result};

/// Elements of a block: what one task scans at a time.
const BLOCK: usize = 1 << 15;
/// Blocks per thread that are summed and then scanned while they are in cache.
const STRETCH: usize = 2;
/// Columns of a task at most, and lanes side by side from which on they are scanned as columns.
const COLUMNS: Range<usize> = 16..512;

/// Runs `plan` on the current threads.
pub(super) fn run(
    plan: &ScanPlan,
    input: View<'_>,
    target: Target<'_>,
    simd: Simd,
    control: &Control,
) -> Result<Option<Storage>> {
    super::deliver(plan.out_dtype, &plan.shape, target, |mut out| {
        out.expect(plan.out_dtype, &plan.shape)?;
        let run = if plan.is_plain() { dispatch } else { converted::dispatch };
        if out.is_contiguous() {
            return run(plan, &input, out, simd, control);
        }
        let mut vec = HostVec::zeros(plan.out_dtype, plan.shape.iter().product())?;
        run(plan, &input, vec.view_mut(&plan.shape), simd, control)?;
        out.copy_from_bytes(vec.view(&plan.shape).as_bytes().unwrap_or(&[]));
        Ok(())
    })
}

fn dispatch(plan: &ScanPlan, input: &View<'_>, mut out: ViewMut<'_>, simd: Simd, control: &Control) -> Result<()> {
    let wrapping = plan.wrapping;
    macro_rules! integers {
        ($($variant:ident $T:ty;)*) => {
            match (plan.op, plan.lanes.dtype) {
                $(
                    (ScanOp::Sum, Dtype::$variant) => scan::<$T, _>(&IntegerSum { wrapping }, plan, input, slice(&mut out, plan)?, control),
                    (ScanOp::Product, Dtype::$variant) => scan::<$T, _>(&IntegerProducts { wrapping }, plan, input, slice(&mut out, plan)?, control),
                )*
                (ScanOp::Sum, Dtype::F32) => scan::<f32, _>(&FloatSum::<f32>::new(plan, simd), plan, input, slice(&mut out, plan)?, control),
                (ScanOp::Sum, _) => scan::<f64, _>(&FloatSum::<f64>::new(plan, simd), plan, input, slice(&mut out, plan)?, control),
                (ScanOp::Product, Dtype::F32) => scan::<f32, _>(&FloatProducts::<f32>::new(plan), plan, input, slice(&mut out, plan)?, control),
                (ScanOp::Product, _) => scan::<f64, _>(&FloatProducts::<f64>::new(plan), plan, input, slice(&mut out, plan)?, control),
                (ScanOp::Min, dtype) => {
                    crate::dtype::with_dtype!(dtype, T => scan::<T, _>(&Extreme::<true>(simd), plan, input, slice(&mut out, plan)?, control))
                }
                (ScanOp::Max, dtype) => {
                    crate::dtype::with_dtype!(dtype, T => scan::<T, _>(&Extreme::<false>(simd), plan, input, slice(&mut out, plan)?, control))
                }
            }
        };
    }
    integers! {
        Bool bool; U8 u8; I8 i8; U16 u16; I16 i16; U32 u32; I32 i32; U64 u64; I64 i64;
    }
}

/// The result's memory.
fn slice<'a, O: crate::Element>(out: &'a mut ViewMut<'_>, plan: &ScanPlan) -> Result<&'a mut [O]> {
    let wrong = || Error::Dtype { what: "output".into(), got: plan.out_dtype, expected: O::DTYPE.to_string() };
    out.as_slice::<O>().ok_or_else(wrong)
}

/// What a scan does with its elements.
trait Scanner<T: Real>: Sync {
    type Out: Copy + Send;
    /// What is known of the elements of some blocks.
    type Total: Clone + Send + Sync;
    /// A scan at work.
    type Walk: Send;

    /// The total of nothing.
    fn nothing(&self) -> Self::Total;
    /// Adds a block to what comes before it.
    fn block(&self, total: &mut Self::Total, values: &[T]);
    /// Adds the total of later blocks.
    fn merge(&self, total: &mut Self::Total, later: &Self::Total);
    /// A scan that goes on after these elements.
    fn walk(&self, total: &Self::Total) -> Self::Walk;
    /// The result with one element more.
    fn step(&self, walk: &mut Self::Walk, value: T) -> Self::Out;
    /// The results with each of some elements more.
    fn steps(&self, walk: &mut Self::Walk, values: &[T], out: &mut [Self::Out]) {
        for (out, &value) in out.iter_mut().zip(values) {
            *out = self.step(walk, value);
        }
    }
    /// Called after each block; an error if a result did not fit.
    fn end_block(&self, walk: &mut Self::Walk) -> bool {
        let _ = walk;
        true
    }
    /// The result of nothing.
    fn identity(&self) -> Self::Out;
}

fn scan<T: Real, S: Scanner<T>>(
    scanner: &S,
    plan: &ScanPlan,
    input: &View<'_>,
    out: &mut [S::Out],
    control: &Control,
) -> Result<()> {
    let view =
        if plan.reverse { plan.lanes.walked.iter().fold(input.clone(), |view, &axis| view.flipped(axis)) } else { input.clone() };
    let lanes = Lanes::<T>::new(&plan.lanes, &view)?;
    let lead = usize::from(plan.first != First::Inclusive);
    let take = plan.lanes.len() - usize::from(plan.first == First::Exclusive && !plan.lanes.is_empty());
    // Results of a lane lie `inner` apart.
    let inner = plan.lanes.kept.iter().filter(|&&axis| axis > plan.lanes.walked.first().copied().unwrap_or(0));
    let inner: usize = inner.map(|&axis| plan.lanes.input[axis]).product();
    let results = if plan.lanes.is_empty() && plan.first == First::Exclusive { 0 } else { take + lead };
    if out.is_empty() {
        return Ok(());
    }
    let run = Run { scanner, lanes, count: plan.lanes.count(), take, lead, results, inner, out: Shared::new(out), plan, control };
    if lead > 0 && results > 0 {
        for lane in 0..run.count {
            // SAFETY: nothing else runs.
            unsafe { run.out.write(run.at(lane), scanner.identity()) };
        }
    }
    if run.inner >= COLUMNS.start && run.lanes.are_columns() && run.lanes.beside().is_multiple_of(run.inner) {
        run.columns()?;
    } else {
        run.rows()?;
    }
    if plan.reverse {
        run.turn_around()?;
    }
    Ok(())
}

/// A scan of all lanes.
struct Run<'a, T, S: Scanner<T>>
where
    T: Real,
{
    scanner: &'a S,
    lanes: Lanes<'a, T>,
    count: usize,
    /// Elements of a lane that are read, results in front of them, and results of a lane.
    take: usize,
    lead: usize,
    results: usize,
    inner: usize,
    out: Shared<'a, S::Out>,
    plan: &'a ScanPlan,
    control: &'a Control,
}

impl<T: Real, S: Scanner<T>> Run<'_, T, S> {
    /// Where the first result of a lane lies.
    fn at(&self, lane: usize) -> usize {
        lane / self.inner * self.inner * self.results + lane % self.inner
    }

    fn overflow(&self) -> Error {
        Error::Overflow { op: self.plan.op.name(), out_dtype: self.plan.out_dtype }
    }

    fn range(&self, block: usize) -> Range<usize> {
        block * BLOCK..self.take.min((block + 1) * BLOCK)
    }

    /// Scans one block of a lane.
    fn block(&self, walk: &mut S::Walk, lane: usize, block: usize, buffer: &mut Vec<T>) -> Result<()> {
        self.control.check()?;
        let range = self.range(block);
        let values = self.lanes.chunk(lane, range.clone(), buffer);
        let first = self.at(lane) + (self.lead + range.start) * self.inner;
        if self.inner == 1 {
            // SAFETY: the block's own results.
            let out = unsafe { self.out.slice(first..first + values.len()) };
            self.scanner.steps(walk, values, out);
        } else {
            for (i, &value) in values.iter().enumerate() {
                // SAFETY: the block's own results.
                unsafe { self.out.write(first + i * self.inner, self.scanner.step(walk, value)) };
            }
        }
        self.control.advance(range.len() as u64);
        if self.scanner.end_block(walk) { Ok(()) } else { Err(self.overflow()) }
    }

    /// Lane by lane.
    fn rows(&self) -> Result<()> {
        let (blocks, threads) = (self.take.div_ceil(BLOCK), threads());
        if threads == 1 || self.count >= 2 * threads || blocks < 2 {
            let share = (BLOCK / self.take.max(1)).min(self.count.div_ceil(4 * threads)).max(1);
            return for_each(self.count.div_ceil(share), 1, &|task| {
                let mut buffer = Vec::new();
                for lane in task * share..self.count.min((task + 1) * share) {
                    let mut walk = self.scanner.walk(&self.scanner.nothing());
                    (0..blocks).try_for_each(|block| self.block(&mut walk, lane, block, &mut buffer))?;
                }
                Ok(())
            });
        }
        for lane in 0..self.count {
            let mut before = self.scanner.nothing();
            let mut block = 0;
            while block < blocks {
                let many = (STRETCH * threads).min(blocks - block);
                let mut totals = vec![self.scanner.nothing(); many];
                let last = block + many == blocks;
                {
                    let shared = Shared::new(&mut totals);
                    for_each(many - usize::from(last), 1, &|i| {
                        let mut total = self.scanner.nothing();
                        let mut buffer = Vec::new();
                        self.scanner.block(&mut total, self.lanes.chunk(lane, self.range(block + i), &mut buffer));
                        // SAFETY: each task has its own.
                        unsafe { shared.write(i, total) };
                        Ok(())
                    })?;
                }
                let mut starts = Vec::with_capacity(many);
                for total in totals {
                    starts.push(before.clone());
                    self.scanner.merge(&mut before, &total);
                }
                for_each(many, 1, &|i| {
                    let mut walk = self.scanner.walk(&starts[i]);
                    self.block(&mut walk, lane, block + i, &mut Vec::new())
                })?;
                block += many;
            }
        }
        Ok(())
    }

    /// Lanes side by side: row by row.
    fn columns(&self) -> Result<()> {
        let (outer, threads) = (self.count / self.inner, threads());
        let width = self.inner.div_ceil((4 * threads).div_ceil(outer)).next_multiple_of(COLUMNS.start).min(COLUMNS.end);
        let strips = self.inner.div_ceil(width);
        for_each(outer * strips, 1, &|task| {
            let start = task / strips * self.inner;
            let columns = start + task % strips * width..start + self.inner.min((task % strips + 1) * width);
            let mut walks: Vec<S::Walk> = columns.clone().map(|_| self.scanner.walk(&self.scanner.nothing())).collect();
            let (first, mut buffer) = (self.at(columns.start), Vec::new());
            for block in 0..self.take.div_ceil(BLOCK) {
                for position in self.range(block) {
                    if position.is_multiple_of(256) {
                        self.control.check()?;
                    }
                    let row = self.lanes.row(columns.clone(), position, &mut buffer);
                    let at = first + (self.lead + position) * self.inner;
                    // SAFETY: the task's own columns.
                    let out = unsafe { self.out.slice(at..at + columns.len()) };
                    for ((out, &value), walk) in out.iter_mut().zip(row).zip(&mut walks) {
                        *out = self.scanner.step(walk, value);
                    }
                }
                self.control.advance((self.range(block).len() * columns.len()) as u64);
                if !walks.iter_mut().all(|walk| self.scanner.end_block(walk)) {
                    return Err(self.overflow());
                }
            }
            Ok(())
        })
    }

    /// Puts the results of every lane in reverse order.
    fn turn_around(&self) -> Result<()> {
        let (n, inner) = (self.results, self.inner);
        for_each(self.count / inner, 1, &|outer| {
            // SAFETY: the task's own lanes.
            let out = unsafe { self.out.slice(outer * n * inner..(outer + 1) * n * inner) };
            if inner == 1 {
                out.reverse();
                return Ok(());
            }
            for i in 0..n / 2 {
                let (front, back) = out.split_at_mut((n - 1 - i) * inner);
                front[i * inner..(i + 1) * inner].swap_with_slice(&mut back[..inner]);
            }
            Ok(())
        })
    }
}

/// The value, NaN as +0.
#[inline(always)]
fn or_zero<T: Float>(value: T) -> T {
    if value.is_nan() { T::of(0.0) } else { value }
}

/// Running sums of floats, exact, rounded to `O`.
struct FloatSum<O> {
    simd: Simd,
    skip: bool,
    out: PhantomData<fn() -> O>,
}

impl<O> FloatSum<O> {
    fn new(plan: &ScanPlan, simd: Simd) -> Self {
        Self { simd, skip: plan.skip_nan, out: PhantomData }
    }
}

impl<T: Float, O: Rounded> Scanner<T> for FloatSum<O> {
    type Out = O;
    type Total = Accumulator;
    type Walk = Prefix;

    fn nothing(&self) -> Accumulator {
        Accumulator::new()
    }
    fn block(&self, total: &mut Accumulator, values: &[T]) {
        if self.skip && values.iter().any(|value| value.is_nan()) {
            let numbers: Vec<T> = values.iter().map(|&value| or_zero(value)).collect();
            return total.extend(&numbers, self.simd);
        }
        total.extend(values, self.simd);
    }
    fn merge(&self, total: &mut Accumulator, later: &Accumulator) {
        total.merge(later);
    }
    fn walk(&self, total: &Accumulator) -> Prefix {
        total.prefix()
    }
    #[inline(always)]
    fn step(&self, walk: &mut Prefix, value: T) -> O {
        walk.push(if self.skip { or_zero(value) } else { value }.widen());
        O::of_prefix(walk)
    }
    fn steps(&self, walk: &mut Prefix, values: &[T], out: &mut [O]) {
        if self.skip && values.iter().any(|value| value.is_nan()) {
            return out.iter_mut().zip(values).for_each(|(out, &value)| *out = self.step(walk, value));
        }
        walk.extend(values, out, self.simd);
    }
    fn identity(&self) -> O {
        O::ZERO
    }
}

/// Running products of floats: of blocks, and within the block.
struct FloatProducts<O> {
    skip: bool,
    out: PhantomData<fn() -> O>,
}

impl<O> FloatProducts<O> {
    fn new(plan: &ScanPlan) -> Self {
        Self { skip: plan.skip_nan, out: PhantomData }
    }

    /// The factor that an element is.
    #[inline(always)]
    fn factor<T: Float>(&self, value: T) -> f64 {
        if self.skip && value.is_nan() { 1.0 } else { value.widen() }
    }
}

impl<T: Float, O: Rounded> Scanner<T> for FloatProducts<O> {
    type Out = O;
    type Total = FloatProduct;
    type Walk = (FloatProduct, FloatProduct);

    fn nothing(&self) -> FloatProduct {
        FloatProduct::ONE
    }
    fn block(&self, total: &mut FloatProduct, values: &[T]) {
        let mut product = FloatProduct::ONE;
        values.iter().for_each(|&value| product.push(self.factor(value)));
        total.merge(product);
    }
    fn merge(&self, total: &mut FloatProduct, later: &FloatProduct) {
        total.merge(*later);
    }
    fn walk(&self, total: &FloatProduct) -> Self::Walk {
        (*total, FloatProduct::ONE)
    }
    #[inline(always)]
    fn step(&self, (before, within): &mut Self::Walk, value: T) -> O {
        within.push(self.factor(value));
        let mut product = *before;
        product.merge(*within);
        O::of_f64(product.to_f64())
    }
    fn end_block(&self, (before, within): &mut Self::Walk) -> bool {
        before.merge(*within);
        *within = FloatProduct::ONE;
        true
    }
    fn identity(&self) -> O {
        O::of_f64(1.0)
    }
}

/// A 64-bit integer that results are in.
trait Word: crate::Element {
    fn add(self, other: Self) -> (Self, bool);
    fn mul(self, other: Self) -> (Self, bool);
    fn wrap(value: i128) -> Self;
}

macro_rules! words {
    ($($T:ty)*) => {$(impl Word for $T {
        #[inline(always)]
        fn add(self, other: Self) -> (Self, bool) { self.overflowing_add(other) }
        #[inline(always)]
        fn mul(self, other: Self) -> (Self, bool) { self.overflowing_mul(other) }
        #[inline(always)]
        fn wrap(value: i128) -> Self { value as $T }
    })*};
}
words!(u64 i64);

/// An integer element.
pub(super) trait Whole: Real {
    fn whole(self) -> i128;
}

macro_rules! wholes {
    ($($T:ty)*) => {$(impl Whole for $T {
        #[inline(always)]
        fn whole(self) -> i128 { i128::from(self) }
    })*};
}
wholes!(bool u8 i8 u16 i16 u32 i32 u64 i64);

/// Running sums of integers.
struct IntegerSum {
    wrapping: bool,
}

impl<T: Whole<Sum: Word>> Scanner<T> for IntegerSum {
    type Out = T::Sum;
    type Total = i128;
    /// The sum, and whether one did not fit.
    type Walk = (T::Sum, bool);

    fn nothing(&self) -> i128 {
        0
    }
    fn block(&self, total: &mut i128, values: &[T]) {
        for values in values.chunks(1 << 20) {
            if T::DTYPE.size() < 8 {
                *total += i128::from(values.iter().map(|value| value.whole() as i64).sum::<i64>());
            } else {
                *total += values.iter().map(|value| value.whole()).sum::<i128>();
            }
        }
    }
    fn merge(&self, total: &mut i128, later: &i128) {
        *total += later;
    }
    fn walk(&self, total: &i128) -> Self::Walk {
        // A total that does not fit is the last result of the block before, which says so.
        (T::Sum::wrap(*total), false)
    }
    #[inline(always)]
    fn step(&self, walk: &mut Self::Walk, value: T) -> T::Sum {
        let (sum, over) = walk.0.add(T::Sum::wrap(value.whole()));
        *walk = (sum, walk.1 | over);
        sum
    }
    fn end_block(&self, walk: &mut Self::Walk) -> bool {
        self.wrapping || !walk.1
    }
    fn identity(&self) -> T::Sum {
        T::Sum::wrap(0)
    }
}

/// Running products of integers.
struct IntegerProducts {
    wrapping: bool,
}

impl<T: Whole<Sum: Word>> Scanner<T> for IntegerProducts {
    type Out = T::Sum;
    /// Modulo 2^64: a total that does not fit is an error of its own block.
    type Total = T::Sum;
    type Walk = (T::Sum, bool);

    fn nothing(&self) -> T::Sum {
        T::Sum::wrap(1)
    }
    fn block(&self, total: &mut T::Sum, values: &[T]) {
        *total = values.iter().fold(*total, |product, value| product.mul(T::Sum::wrap(value.whole())).0);
    }
    fn merge(&self, total: &mut T::Sum, later: &T::Sum) {
        *total = total.mul(*later).0;
    }
    fn walk(&self, total: &T::Sum) -> Self::Walk {
        (*total, false)
    }
    #[inline(always)]
    fn step(&self, walk: &mut Self::Walk, value: T) -> T::Sum {
        let (product, over) = walk.0.mul(T::Sum::wrap(value.whole()));
        *walk = (product, walk.1 | over);
        product
    }
    fn end_block(&self, walk: &mut Self::Walk) -> bool {
        self.wrapping || !walk.1
    }
    fn identity(&self) -> T::Sum {
        T::Sum::wrap(1)
    }
}

/// Running extremes.
struct Extreme<const SMALLER: bool>(Simd);

/// Elements that are looked at together, whether one is better than all before, and blocks after such a one that are not.
const TOGETHER: usize = 64;
const BETTER: u32 = 4;

/// Whether some elements have a better key.
struct Beat<'a, T, const SMALLER: bool>(&'a [T], u64);

impl<T: Real, const SMALLER: bool> Kernel for Beat<'_, T, SMALLER> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        let better = |value: &T| {
            let key = value.extreme_key(SMALLER);
            if SMALLER { key < self.1 } else { key > self.1 }
        };
        self.0.iter().fold(false, |any, value| any | better(value))
    }
}

impl<const SMALLER: bool> Extreme<SMALLER> {
    /// The key that every other one beats, or equals.
    const WORST: u64 = if SMALLER { u64::MAX } else { 0 };

    #[inline(always)]
    fn better(a: u64, b: u64) -> u64 {
        if SMALLER { a.min(b) } else { a.max(b) }
    }
}

impl<T: Real, const SMALLER: bool> Scanner<T> for Extreme<SMALLER> {
    type Out = T;
    /// The order key.
    type Total = u64;
    type Walk = u64;

    fn nothing(&self) -> u64 {
        Self::WORST
    }
    fn block(&self, total: &mut u64, values: &[T]) {
        // Some at a time, so that one need not wait for the one before.
        let mut best = [*total; 8];
        for values in values.chunks(best.len()) {
            for (best, value) in best.iter_mut().zip(values) {
                *best = Self::better(*best, value.extreme_key(SMALLER));
            }
        }
        *total = best.into_iter().fold(*total, Self::better);
    }
    fn merge(&self, total: &mut u64, later: &u64) {
        *total = Self::better(*total, *later);
    }
    fn walk(&self, total: &u64) -> u64 {
        *total
    }
    #[inline(always)]
    fn step(&self, walk: &mut u64, value: T) -> T {
        *walk = Self::better(*walk, value.extreme_key(SMALLER));
        T::from_key(*walk)
    }
    fn steps(&self, walk: &mut u64, values: &[T], out: &mut [T]) {
        // Most elements change nothing, unless they ascend.
        let mut pause = 0u32;
        for (values, out) in values.chunks(TOGETHER).zip(out.chunks_mut(TOGETHER)) {
            if pause == 0 && !self.0.run(Beat::<T, SMALLER>(values, *walk)) {
                out.fill(T::from_key(*walk));
                continue;
            }
            pause = pause.checked_sub(1).unwrap_or(BETTER);
            for (out, &value) in out.iter_mut().zip(values) {
                *out = self.step(walk, value);
            }
        }
    }
    fn identity(&self) -> T {
        T::ZERO
    }
}
