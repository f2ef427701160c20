//! Windows with AVX-512 IFMA: eight numbers are cut at a time, and their parts laid side by side, so that each number is added by
//! one vector.
//!
//! The products of 52 bits take the fraction straight from a number's bits: times `2^up`, its lower and upper half are the lanes
//! but for the leading one, which is another `2^up` in the upper lane. Two numbers cut that way have four such products.

// Plain index loops and arrays that are spelt out: they stay in registers whatever the compiler inlines elsewhere.
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

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
pub(super) fn is_present(simd: Simd) -> bool {
    simd == Simd::Avx512 && is_x86_feature_detected!("avx512ifma")
}

/// The parts of a batch of numbers, `LANES` each.
#[repr(align(64))]
struct Batch<const LANES: usize> {
    parts: [[MaybeUninit<[i64; LANES]>; WIDE]; BATCH],
}

impl<const LANES: usize> Batch<LANES> {
    const fn new() -> Self {
        Self { parts: [[MaybeUninit::uninit(); WIDE]; BATCH] }
    }
}

/// The lower and the upper lane of the magnitudes of numbers.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
fn cut(x: __m512i) -> (__m512i, __m512i) {
    let normal = _mm512_test_epi64_mask(x, _mm512_set1_epi64(0x7ff << 52));
    let up = _mm512_and_si512(_mm512_srli_epi64::<52>(x), _mm512_set1_epi64(31));
    // Subnormals count twice, and have no leading one.
    let power = _mm512_mask_sllv_epi64(_mm512_set1_epi64(2), normal, _mm512_set1_epi64(1), up);
    let low = _mm512_madd52lo_epu64(_mm512_setzero_si512(), x, power);
    (low, _mm512_madd52hi_epu64(_mm512_maskz_mov_epi64(normal, power), x, power))
}

/// How far into a table of two lanes the windows of numbers lie, in bytes.
#[inline]
#[target_feature(enable = "avx512f")]
fn places(x: __m512i) -> __m512i {
    _mm512_and_si512(_mm512_srli_epi64::<53>(x), _mm512_set1_epi64(63 << 4))
}

/// Negates the parts where a bit is set.
#[inline]
#[target_feature(enable = "avx512f")]
fn negate(parts: __m512i, which: __mmask8) -> __m512i {
    _mm512_mask_sub_epi64(parts, which, _mm512_setzero_si512(), parts)
}

/// A sum of products with 0 that remembers numbers that are not finite.
#[inline]
#[target_feature(enable = "avx512f")]
fn note(x: __m512d, zeros: __m512d) -> __m512d {
    _mm512_fmadd_pd(x, _mm512_setzero_pd(), zeros)
}

/// Whether only finite numbers were noted.
#[inline]
#[target_feature(enable = "avx512f")]
fn all_finite(zeros: __m512d) -> bool {
    _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(zeros, zeros) == 0
}

/// The lanes of squares.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn square(low: __m512i, high: __m512i) -> [__m512i; 4] {
    let (zero, twice) = (_mm512_setzero_si512(), _mm512_add_epi64(high, high));
    [
        _mm512_madd52lo_epu64(zero, low, low),
        _mm512_madd52hi_epu64(_mm512_madd52lo_epu64(zero, twice, low), low, low),
        _mm512_madd52hi_epu64(_mm512_madd52lo_epu64(zero, high, high), twice, low),
        _mm512_madd52hi_epu64(zero, high, high),
    ]
}

/// The lanes of products.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn product((a_low, a_high): (__m512i, __m512i), (b_low, b_high): (__m512i, __m512i)) -> [__m512i; 4] {
    let zero = _mm512_setzero_si512();
    let second = _mm512_madd52lo_epu64(_mm512_madd52lo_epu64(zero, a_low, b_high), a_high, b_low);
    let third = _mm512_madd52hi_epu64(_mm512_madd52hi_epu64(zero, a_low, b_high), a_high, b_low);
    [
        _mm512_madd52lo_epu64(zero, a_low, b_low),
        _mm512_madd52hi_epu64(second, a_low, b_low),
        _mm512_madd52lo_epu64(third, a_high, b_high),
        _mm512_madd52hi_epu64(zero, a_high, b_high),
    ]
}

impl Batch<2> {
    /// Lays the lanes of numbers side by side.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn lay(&mut self, vector: usize, low: __m512i, high: __m512i) {
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
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
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
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn lay(&mut self, vector: usize, [first, second, third, last]: [__m512i; 4]) {
        let to = self.parts[vector].as_mut_ptr().cast::<__m512i>();
        let front = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
        let back = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
        let (lower, upper) = (_mm512_unpacklo_epi64(first, second), _mm512_unpacklo_epi64(third, last));
        let (odd_lower, odd_upper) = (_mm512_unpackhi_epi64(first, second), _mm512_unpackhi_epi64(third, last));
        // SAFETY: eight times four lanes have the size of four vectors.
        unsafe {
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
    #[inline]
    #[target_feature(enable = "avx512f,avx512vl")]
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
    const fn new() -> Self {
        Self([MaybeUninit::uninit(); BATCH])
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn set(&mut self, vector: usize, places: __m512i) {
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
/// There are at most [`BATCH`] vectors, and the tables have a place for each window.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
unsafe fn sums(count: usize, load: impl Fn(usize) -> __m512d, tables: [*mut [i64; 2]; WIDE]) -> bool {
    let (mut batch, mut at, mut zeros) = (Batch::<2>::new(), Places::new(), _mm512_setzero_pd());
    for i in 0..count {
        let x = load(i);
        zeros = note(x, zeros);
        let x = _mm512_castpd_si512(x);
        let ((low, high), negative) = (cut(x), _mm512_movepi64_mask(x));
        batch.lay(i, negate(low, negative), negate(high, negative));
        at.set(i, places(x));
    }
    if !all_finite(zeros) {
        return false;
    }
    for i in 0..count {
        for nth in 0..WIDE {
            let which = ORDER[nth];
            // SAFETY: all were laid and set above, the places are those of windows.
            unsafe { batch.add(i, nth, tables[which], at.get(i, which)) };
        }
    }
    true
}

/// Adds the squares of `count` vectors of numbers, each to its table, and the numbers to theirs if there are some, if they are
/// finite. The answer is whether they are.
///
/// # Safety
/// There are at most [`BATCH`] vectors, and the tables have a place for each window.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
unsafe fn squares(
    count: usize,
    load: impl Fn(usize) -> __m512d,
    tables: [*mut [i64; 4]; WIDE],
    numbers: Option<[*mut [i64; 2]; WIDE]>,
) -> bool {
    let (mut batch, mut at, mut zeros) = (Batch::<4>::new(), Places::new(), _mm512_setzero_pd());
    let mut more = Batch::<2>::new();
    for i in 0..count {
        let x = load(i);
        zeros = note(x, zeros);
        let x = _mm512_castpd_si512(x);
        let (low, high) = cut(x);
        batch.lay(i, square(low, high));
        if numbers.is_some() {
            let negative = _mm512_movepi64_mask(x);
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
            // SAFETY: all were laid and set above, the places are those of windows.
            unsafe {
                let place = at.get(i, which);
                batch.add(i, nth, tables[which], place);
                if let Some(numbers) = numbers {
                    more.add(i, nth, numbers[which], place);
                }
            }
        }
    }
    true
}

/// Adds the products of `count` vectors of pairs, each to its table, if they are finite. The answer is whether they are.
///
/// # Safety
/// There are at most [`BATCH`] vectors, and the tables have a place for the windows of two numbers together.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
unsafe fn pairs(count: usize, load: impl Fn(usize) -> (__m512d, __m512d), tables: [*mut [i64; 4]; WIDE]) -> bool {
    let (mut batch, mut at, mut zeros) = (Batch::<4>::new(), Places::new(), _mm512_setzero_pd());
    for i in 0..count {
        let (a, b) = load(i);
        zeros = note(a, note(b, zeros));
        let (a, b) = (_mm512_castpd_si512(a), _mm512_castpd_si512(b));
        let negative = _mm512_movepi64_mask(_mm512_xor_si512(a, b));
        let [first, second, third, last] = product(cut(a), cut(b));
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
            // SAFETY: all were laid and set above, the places are those of windows.
            unsafe { batch.add(i, nth, tables[which], at.get(i, which)) };
        }
    }
    true
}

/// Eight numbers of a row from a place on, zeros behind its end.
#[inline]
#[target_feature(enable = "avx512f,avx512vl")]
fn of_row<T: Float>(values: &[T], at: usize) -> __m512d {
    let left = values.len().saturating_sub(at);
    let some = if left < WIDE { (1 << left) - 1 } else { u8::MAX };
    let first = values.as_ptr().wrapping_add(at);
    // SAFETY: as many elements are there.
    unsafe {
        if T::NARROW {
            _mm512_cvtps_pd(_mm256_maskz_loadu_ps(some, first.cast()))
        } else {
            _mm512_maskz_loadu_pd(some, first.cast())
        }
    }
}

/// Asks for memory ahead of a vector of a row.
#[inline(always)]
fn ahead<T>(values: &[T], vector: usize) {
    prefetch_ahead(values.as_ptr().wrapping_add(vector * WIDE));
}

/// Each of four tables twice, as far from each other as they can be.
#[inline(always)]
fn twice<L>([a, b, c, d]: [*mut L; TABLES]) -> [*mut L; WIDE] {
    [a, a, b, b, c, c, d, d]
}

/// Adds at most 256 numbers, or their squares, if they are finite. The answer is whether they are.
///
/// # Safety
/// The tables have a place for each window, and [`is_present`].
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(super) unsafe fn row<T: Float, const SQUARE: bool>(values: &[T], tables: [*mut [i64; 2]; TABLES]) -> bool {
    let load = |i: usize| {
        ahead(values, i);
        let x = of_row(values, i * WIDE);
        if SQUARE { _mm512_mul_pd(x, x) } else { x }
    };
    // SAFETY: the caller's promise.
    unsafe { sums(values.len().div_ceil(WIDE).min(BATCH), load, twice(tables)) }
}

/// Adds eight columns of at most [`BATCH`] rows, from one on, if they are finite. The answer is whether they are.
///
/// # Safety
/// The rows have these columns, the tables a place for each window, and [`is_present`].
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(super) unsafe fn columns<T: Float>(rows: &[&[T]], at: usize, tables: [*mut [i64; 2]; WIDE]) -> bool {
    let load = |i: usize| of_row(rows[i], at);
    // SAFETY: the caller's promise.
    unsafe { sums(rows.len().min(BATCH), load, tables) }
}

/// Adds the products of at most 256 pairs, or the squares of the first numbers where there are windows for squares alone, if all
/// are finite. The answer is whether they are.
///
/// # Safety
/// The tables have `COUNT` windows, and [`is_present`].
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(super) unsafe fn products<T: Float, const COUNT: usize>(a: &[T], b: &[T], tables: [*mut [i64; 4]; TABLES]) -> bool {
    let count = a.len().div_ceil(WIDE).min(BATCH);
    let load = |values: &[T], i: usize| {
        ahead(values, i);
        of_row(values, i * WIDE)
    };
    // SAFETY: the caller's promise; the windows of two numbers are 126 together at most.
    unsafe {
        if COUNT == 64 {
            squares(count, |i| load(a, i), twice(tables), None)
        } else {
            pairs(count, |i| (load(a, i), load(b, i)), twice(tables))
        }
    }
}

/// Adds at most 256 numbers and their squares, if they are finite. The answer is whether they are.
///
/// # Safety
/// The tables have a place for each window, and [`is_present`].
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(super) unsafe fn moments<T: Float>(values: &[T], numbers: [*mut [i64; 2]; TABLES], tables: [*mut [i64; 4]; TABLES]) -> bool {
    let load = |i: usize| {
        ahead(values, i);
        of_row(values, i * WIDE)
    };
    // SAFETY: the caller's promise.
    unsafe { squares(values.len().div_ceil(WIDE).min(BATCH), load, twice(tables), Some(twice(numbers))) }
}

/// Adds the squares of eight columns of at most [`BATCH`] rows, from one on, and the numbers to tables of theirs if there are some,
/// if they are finite. The answer is whether they are.
///
/// # Safety
/// The rows have these columns, the tables a place for each window, and [`is_present`].
#[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512ifma")]
pub(super) unsafe fn square_columns<T: Float>(
    rows: &[&[T]],
    at: usize,
    tables: [*mut [i64; 4]; WIDE],
    numbers: Option<[*mut [i64; 2]; WIDE]>,
) -> bool {
    let load = |i: usize| of_row(rows[i], at);
    // SAFETY: the caller's promise.
    unsafe { squares(rows.len().min(BATCH), load, tables, numbers) }
}
