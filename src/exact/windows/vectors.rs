//! Windows with AVX-512: eight numbers are cut at a time, and their parts laid side by side, so that each number is added by one
//! vector.
//!
//! How they are cut depends on the CPU (see [`cut`](super::cut)): what is the same for all is written once and compiled for each way.

// Plain index loops and arrays that are spelt out: they stay in registers whatever the compiler inlines elsewhere.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::cut::{Cut, MultiplyAdds, Shifts, lanes};
use super::{ROWS, STRIP, TABLES};
use crate::cpu::simd::{Simd, prefetch_ahead};
use crate::exact::fast::Float;

/// Numbers of a vector.
const WIDE: usize = STRIP;
/// Vectors that are cut before their parts are added.
const BATCH: usize = ROWS;
/// In which order vectors of parts lie: even elements come first.
const ORDER: [usize; WIDE] = [0, 2, 4, 6, 1, 3, 5, 7];

/// Whether this CPU has what the rest of this file needs.
#[inline(always)]
pub(super) fn are_present(simd: Simd) -> bool {
    simd == Simd::Avx512
}

/// Numbers that are added to tables, if they are finite.
pub(super) trait Work {
    /// Adds them; the answer is whether they are finite. Must be `#[inline(always)]`, and so must all it calls.
    ///
    /// # Safety
    /// The instructions of AVX-512 and of `C` must be present, and the tables have a place for each window.
    unsafe fn run<C: Cut>(self) -> bool;
}

/// Runs work compiled for this CPU.
///
/// # Safety
/// There [are](are_present) vectors, and the work's tables have a place for each window.
#[inline]
pub(super) unsafe fn run<W: Work>(work: W) -> bool {
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512ifma")]
    unsafe fn with_multiply_adds<W: Work>(work: W) -> bool {
        // SAFETY: the caller's promise.
        unsafe { work.run::<MultiplyAdds>() }
    }
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
    unsafe fn with_shifts<W: Work>(work: W) -> bool {
        // SAFETY: the caller's promise.
        unsafe { work.run::<Shifts>() }
    }
    // SAFETY: the caller's promise, and what is found here.
    unsafe { if is_x86_feature_detected!("avx512ifma") { with_multiply_adds(work) } else { with_shifts(work) } }
}

/// The parts of a batch of numbers, `LANES` each.
#[repr(align(64))]
struct Batch<const LANES: usize> {
    parts: [[MaybeUninit<[i64; LANES]>; WIDE]; BATCH],
}

impl<const LANES: usize> Batch<LANES> {
    #[inline(always)]
    const fn new() -> Self {
        Self { parts: [[MaybeUninit::uninit(); WIDE]; BATCH] }
    }
}

/// How far into a table of two lanes the windows of numbers lie, in bytes.
///
/// # Safety
/// AVX-512 must be present, as for the functions below.
#[inline(always)]
unsafe fn places(x: __m512i) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe { _mm512_and_si512(_mm512_srli_epi64::<53>(x), _mm512_set1_epi64(63 << 4)) }
}

/// Negates the parts where a bit is set.
#[inline(always)]
unsafe fn negate(parts: __m512i, which: __mmask8) -> __m512i {
    // SAFETY: the caller's promise.
    unsafe { _mm512_mask_sub_epi64(parts, which, _mm512_setzero_si512(), parts) }
}

/// A sum of products with 0 that remembers numbers that are not finite.
#[inline(always)]
unsafe fn note(x: __m512d, zeros: __m512d) -> __m512d {
    // SAFETY: the caller's promise.
    unsafe { _mm512_fmadd_pd(x, _mm512_setzero_pd(), zeros) }
}

/// Whether only finite numbers were noted.
#[inline(always)]
unsafe fn all_finite(zeros: __m512d) -> bool {
    // SAFETY: the caller's promise.
    unsafe { _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(zeros, zeros) == 0 }
}

impl Batch<2> {
    /// Lays the lanes of numbers side by side.
    #[inline(always)]
    unsafe fn lay(&mut self, vector: usize, low: __m512i, high: __m512i) {
        let to = self.parts[vector].as_mut_ptr().cast::<__m512i>();
        // SAFETY: eight times two lanes have the size of two vectors.
        unsafe {
            to.write_unaligned(_mm512_unpacklo_epi64(low, high));
            to.add(1).write_unaligned(_mm512_unpackhi_epi64(low, high));
        }
    }

    /// Adds a number's lanes.
    ///
    /// # Safety
    /// They were laid, and the place is a window's.
    #[inline(always)]
    unsafe fn add(&self, vector: usize, nth: usize, table: *mut [i64; 2], place: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let (lanes, part) = (table.byte_add(place).cast::<__m128i>(), self.parts[vector][nth].as_ptr().cast::<__m128i>());
            lanes.write_unaligned(_mm_add_epi64(lanes.read_unaligned(), part.read_unaligned()));
        }
    }
}

impl Batch<4> {
    /// Lays the lanes of products side by side.
    #[inline(always)]
    unsafe fn lay(&mut self, vector: usize, [first, second, third, last]: [__m512i; 4]) {
        let to = self.parts[vector].as_mut_ptr().cast::<__m512i>();
        // SAFETY: eight times four lanes have the size of four vectors.
        unsafe {
            let front = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
            let back = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
            let (lower, upper) = (_mm512_unpacklo_epi64(first, second), _mm512_unpacklo_epi64(third, last));
            let (odd_lower, odd_upper) = (_mm512_unpackhi_epi64(first, second), _mm512_unpackhi_epi64(third, last));
            to.write_unaligned(_mm512_permutex2var_epi64(lower, front, upper));
            to.add(1).write_unaligned(_mm512_permutex2var_epi64(lower, back, upper));
            to.add(2).write_unaligned(_mm512_permutex2var_epi64(odd_lower, front, odd_upper));
            to.add(3).write_unaligned(_mm512_permutex2var_epi64(odd_lower, back, odd_upper));
        }
    }

    /// Adds a product's lanes.
    ///
    /// # Safety
    /// They were laid, and the place is half a window's.
    #[inline(always)]
    unsafe fn add(&self, vector: usize, nth: usize, table: *mut [i64; 4], place: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            let (lanes, part) = (table.byte_add(2 * place).cast::<__m256i>(), self.parts[vector][nth].as_ptr().cast::<__m256i>());
            lanes.write_unaligned(_mm256_add_epi64(lanes.read_unaligned(), part.read_unaligned()));
        }
    }
}

/// Where the windows of a batch's numbers lie.
#[repr(align(64))]
struct Places([MaybeUninit<[u64; WIDE]>; BATCH]);

impl Places {
    #[inline(always)]
    const fn new() -> Self {
        Self([MaybeUninit::uninit(); BATCH])
    }

    #[inline(always)]
    unsafe fn set(&mut self, vector: usize, places: __m512i) {
        // SAFETY: eight places have the size of a vector.
        unsafe { self.0[vector].as_mut_ptr().cast::<__m512i>().write_unaligned(places) }
    }

    /// # Safety
    /// The vector's places were set.
    #[inline(always)]
    unsafe fn get(&self, vector: usize, number: usize) -> usize {
        // SAFETY: the caller's promise.
        unsafe { self.0[vector].assume_init_ref()[number] as usize }
    }
}

/// Adds `count` vectors of numbers, each lane to its table, if they are finite. The answer is whether they are.
///
/// # Safety
/// As for [`Work`], and there are at most [`BATCH`] vectors.
#[inline(always)]
unsafe fn sums(count: usize, load: impl Fn(usize) -> __m512d, tables: [*mut [i64; 2]; WIDE]) -> bool {
    // SAFETY: the caller's promise; all places are those of windows.
    unsafe {
        let (mut batch, mut at, mut zeros) = (Batch::<2>::new(), Places::new(), _mm512_setzero_pd());
        for i in 0..count {
            let x = load(i);
            zeros = note(x, zeros);
            let (low, high) = lanes(x);
            batch.lay(i, low, high);
            at.set(i, places(_mm512_castpd_si512(x)));
        }
        if !all_finite(zeros) {
            return false;
        }
        for i in 0..count {
            for nth in 0..WIDE {
                let which = ORDER[nth];
                batch.add(i, nth, tables[which], at.get(i, which));
            }
        }
        true
    }
}

/// Adds the squares of `count` vectors of numbers, each to its table, and the numbers to theirs if there are some, if they are
/// finite. The answer is whether they are.
///
/// # Safety
/// As for [`sums`].
#[inline(always)]
unsafe fn squares<C: Cut>(
    count: usize,
    load: impl Fn(usize) -> __m512d,
    tables: [*mut [i64; 4]; WIDE],
    numbers: Option<[*mut [i64; 2]; WIDE]>,
) -> bool {
    // SAFETY: the caller's promise; all places are those of windows.
    unsafe {
        let (mut batch, mut at, mut zeros) = (Batch::<4>::new(), Places::new(), _mm512_setzero_pd());
        let mut more = Batch::<2>::new();
        for i in 0..count {
            let x = load(i);
            zeros = note(x, zeros);
            let x = _mm512_castpd_si512(x);
            let factor = C::factor(x);
            batch.lay(i, C::square(factor));
            if numbers.is_some() {
                let ((low, high), negative) = (C::magnitudes(factor), _mm512_movepi64_mask(x));
                more.lay(i, negate(low, negative), negate(high, negative));
            }
            at.set(i, places(x));
        }
        if !all_finite(zeros) {
            return false;
        }
        for i in 0..count {
            for nth in 0..WIDE {
                let which = ORDER[nth];
                let place = at.get(i, which);
                batch.add(i, nth, tables[which], place);
                if let Some(numbers) = numbers {
                    more.add(i, nth, numbers[which], place);
                }
            }
        }
        true
    }
}

/// Adds the products of `count` vectors of pairs, each to its table, if they are finite. The answer is whether they are.
///
/// # Safety
/// As for [`sums`]; there are windows of two numbers together.
#[inline(always)]
unsafe fn pairs<C: Cut>(count: usize, load: impl Fn(usize) -> (__m512d, __m512d), tables: [*mut [i64; 4]; WIDE]) -> bool {
    // SAFETY: the caller's promise; all places are those of windows.
    unsafe {
        let (mut batch, mut at, mut zeros) = (Batch::<4>::new(), Places::new(), _mm512_setzero_pd());
        for i in 0..count {
            let (a, b) = load(i);
            zeros = note(a, note(b, zeros));
            let (a, b) = (_mm512_castpd_si512(a), _mm512_castpd_si512(b));
            let negative = _mm512_movepi64_mask(_mm512_xor_si512(a, b));
            let [first, second, third, last] = C::product(C::factor(a), C::factor(b));
            let (first, second) = (negate(first, negative), negate(second, negative));
            batch.lay(i, [first, second, negate(third, negative), negate(last, negative)]);
            at.set(i, _mm512_add_epi64(places(a), places(b)));
        }
        if !all_finite(zeros) {
            return false;
        }
        for i in 0..count {
            for nth in 0..WIDE {
                let which = ORDER[nth];
                batch.add(i, nth, tables[which], at.get(i, which));
            }
        }
        true
    }
}

/// Eight numbers from a place on.
#[inline(always)]
unsafe fn eight<T: Float>(first: *const T) -> __m512d {
    // SAFETY: the caller's promise: as many are there.
    unsafe { if T::NARROW { _mm512_cvtps_pd(_mm256_loadu_ps(first.cast())) } else { _mm512_loadu_pd(first.cast()) } }
}

/// The numbers of vector `i` of a row, zeros behind its end, after memory ahead was asked for.
#[inline(always)]
unsafe fn vector<T: Float>(values: &[T], i: usize) -> __m512d {
    let first = values.as_ptr().wrapping_add(i * WIDE);
    prefetch_ahead(first);
    // SAFETY: the caller's promise; as many elements are there.
    unsafe {
        if (i + 1) * WIDE <= values.len() {
            return eight(first);
        }
        let some = (1 << (values.len() % WIDE)) - 1;
        if T::NARROW {
            _mm512_cvtps_pd(_mm256_maskz_loadu_ps(some, first.cast()))
        } else {
            _mm512_maskz_loadu_pd(some, first.cast())
        }
    }
}

/// How many vectors these are, at most [`BATCH`].
#[inline(always)]
fn vectors<T>(values: &[T]) -> usize {
    values.len().div_ceil(WIDE).min(BATCH)
}

/// Each of four tables twice, as far from each other as they can be.
#[inline(always)]
fn twice<L>([a, b, c, d]: [*mut L; TABLES]) -> [*mut L; WIDE] {
    [a, a, b, b, c, c, d, d]
}

/// At most 256 numbers, or their squares.
pub(super) struct Row<'a, T, const SQUARE: bool> {
    pub(super) values: &'a [T],
    pub(super) tables: [*mut [i64; 2]; TABLES],
}

impl<T: Float, const SQUARE: bool> Work for Row<'_, T, SQUARE> {
    #[inline(always)]
    unsafe fn run<C: Cut>(self) -> bool {
        let load = |i: usize| {
            // SAFETY: the caller's promise.
            unsafe {
                let x = vector(self.values, i);
                if SQUARE { _mm512_mul_pd(x, x) } else { x }
            }
        };
        // SAFETY: the caller's promise.
        unsafe { sums(vectors(self.values), load, twice(self.tables)) }
    }
}

/// Eight columns of at most [`BATCH`] rows, from one on that the rows have.
pub(super) struct Columns<'a, T> {
    pub(super) rows: &'a [&'a [T]],
    pub(super) at: usize,
    pub(super) tables: [*mut [i64; 2]; WIDE],
}

impl<T: Float> Work for Columns<'_, T> {
    #[inline(always)]
    unsafe fn run<C: Cut>(self) -> bool {
        // SAFETY: the caller's promise.
        unsafe { sums(self.rows.len().min(BATCH), |i| eight(self.rows[i].as_ptr().add(self.at)), self.tables) }
    }
}

/// The products of at most 256 pairs, or the squares of the first numbers where there are windows for squares alone.
pub(super) struct Products<'a, T, const COUNT: usize> {
    pub(super) pair: (&'a [T], &'a [T]),
    pub(super) tables: [*mut [i64; 4]; TABLES],
}

impl<T: Float, const COUNT: usize> Work for Products<'_, T, COUNT> {
    #[inline(always)]
    unsafe fn run<C: Cut>(self) -> bool {
        let ((a, b), tables) = (self.pair, twice(self.tables));
        // SAFETY: the caller's promise; the windows of two numbers are 126 together at most.
        unsafe {
            if COUNT == 64 {
                squares::<C>(vectors(a), |i| vector(a, i), tables, None)
            } else {
                pairs::<C>(vectors(a), |i| (vector(a, i), vector(b, i)), tables)
            }
        }
    }
}

/// At most 256 numbers and their squares.
pub(super) struct Moments<'a, T> {
    pub(super) values: &'a [T],
    pub(super) numbers: [*mut [i64; 2]; TABLES],
    pub(super) tables: [*mut [i64; 4]; TABLES],
}

impl<T: Float> Work for Moments<'_, T> {
    #[inline(always)]
    unsafe fn run<C: Cut>(self) -> bool {
        let load = |i: usize| {
            // SAFETY: the caller's promise.
            unsafe { vector(self.values, i) }
        };
        // SAFETY: the caller's promise.
        unsafe { squares::<C>(vectors(self.values), load, twice(self.tables), Some(twice(self.numbers))) }
    }
}

/// The squares of eight columns of at most [`BATCH`] rows, from one on that the rows have, and the numbers if there are tables for
/// them.
pub(super) struct SquareColumns<'a, T> {
    pub(super) rows: &'a [&'a [T]],
    pub(super) at: usize,
    pub(super) tables: [*mut [i64; 4]; WIDE],
    pub(super) numbers: Option<[*mut [i64; 2]; WIDE]>,
}

impl<T: Float> Work for SquareColumns<'_, T> {
    #[inline(always)]
    unsafe fn run<C: Cut>(self) -> bool {
        let load = |i: usize| {
            // SAFETY: the caller's promise.
            unsafe { eight(self.rows[i].as_ptr().add(self.at)) }
        };
        // SAFETY: the caller's promise.
        unsafe { squares::<C>(self.rows.len().min(BATCH), load, self.tables, self.numbers) }
    }
}

/// Moves what is above 52 bits of each lane to the next one, of each window by itself; the last lane keeps all.
///
/// # Safety
/// The CPU must have AVX-512 F.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn carry(lanes: &mut [[i64; 4]]) {
    let (pairs, rest) = lanes.as_chunks_mut::<2>();
    debug_assert!(rest.is_empty());
    let kept = _mm512_mask_mov_epi64(_mm512_set1_epi64(-1), 0b0111_0111, _mm512_set1_epi64((1 << 52) - 1));
    for pair in pairs {
        let place = pair.as_mut_ptr().cast::<__m512i>();
        // SAFETY: two windows have the size of a vector.
        unsafe {
            let all = place.read_unaligned();
            let over = _mm512_maskz_permutex_epi64::<0b10_01_00_11>(0b1110_1110, _mm512_srai_epi64::<52>(all));
            place.write_unaligned(_mm512_add_epi64(_mm512_and_si512(all, kept), over));
        }
    }
}
