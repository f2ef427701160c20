//! The way in: rows of any dtype and stride become rows of the type computed in, with the boundary resolved.

use super::dots::Values;
use super::number::{Magnitude, Number, Operand};
use crate::cpu::simd::{Kernel, Simd};
use crate::dtype::with_dtype;
use crate::{Boundary, Dtype};

/// Converts `n` elements that lie next to each other.
///
/// # Safety
/// The source elements must be readable and of the dtype that the function was made for; the target must be good for
/// `n` elements.
type CastSlice<C> = unsafe fn(simd: Simd, source: *const u8, target: *mut C, n: usize);

/// How elements of one dtype become numbers to compute in.
#[derive(Clone, Copy)]
pub(super) struct CastRow<C> {
    simd: Simd,
    size: usize,
    slice: CastSlice<C>,
}

impl<C: Castable> CastRow<C> {
    pub(super) fn new(simd: Simd, dtype: Dtype) -> Self {
        Self { simd, size: dtype.size(), slice: C::cast_slice(dtype) }
    }

    /// Converts `n` elements, `stride` elements apart.
    ///
    /// # Safety
    /// The source elements must be readable and of the dtype; the target must be good for `n` elements.
    pub(super) unsafe fn row(&self, source: *const u8, stride: isize, target: *mut C, n: usize) {
        // SAFETY: the caller's promise; `gathered` hands out pieces of the n elements in their order.
        unsafe {
            gathered(self.size, source, stride, n, |piece, from, len| (self.slice)(self.simd, piece, target.add(from), len));
        }
    }
}

/// Hands out `n` elements of `size` bytes in contiguous pieces `(first, index, length)`: in place, or gathered.
///
/// # Safety
/// The elements must be readable, `stride` elements apart.
unsafe fn gathered(size: usize, source: *const u8, stride: isize, n: usize, mut piece: impl FnMut(*const u8, usize, usize)) {
    const ELEMENTS: usize = 128;
    if stride == 1 {
        return piece(source, 0, n);
    }
    let mut buffer = [0u64; ELEMENTS];
    for from in (0..n).step_by(ELEMENTS) {
        let len = ELEMENTS.min(n - from);
        // SAFETY: element from + i is below n; the buffer holds 128 elements of up to 8 bytes, aligned for each.
        unsafe {
            let at = |i: usize| source.offset((from + i) as isize * stride * size as isize);
            let buffer = buffer.as_mut_ptr();
            match size {
                1 => (0..len).for_each(|i| buffer.cast::<u8>().add(i).write(*at(i))),
                2 => (0..len).for_each(|i| buffer.cast::<u16>().add(i).write(*at(i).cast())),
                4 => (0..len).for_each(|i| buffer.cast::<u32>().add(i).write(*at(i).cast())),
                _ => (0..len).for_each(|i| buffer.add(i).write(*at(i).cast())),
            }
        }
        piece(buffer.as_ptr().cast(), from, len);
    }
}

/// A type that every dtype can be converted to.
pub(super) trait Castable: Number {
    /// The conversion from `dtype`.
    fn cast_slice(dtype: Dtype) -> CastSlice<Self>;
}

struct Cast<I, C> {
    source: *const I,
    target: *mut C,
    n: usize,
}

impl<I: Operand<C>, C> Kernel for Cast<I, C> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for i in 0..self.n {
            // SAFETY: the caller of `CastSlice` promises `n` elements on either side.
            unsafe { self.target.add(i).write((*self.source.add(i)).operand()) };
        }
    }
}

unsafe fn cast_slice<I: Operand<C>, C>(simd: Simd, source: *const u8, target: *mut C, n: usize) {
    simd.run(Cast { source: source.cast::<I>(), target, n });
}

/// [`cast_slice`] for types without vectors.
unsafe fn cast_scalars<I: Operand<C>, C>(_: Simd, source: *const u8, target: *mut C, n: usize) {
    Cast { source: source.cast::<I>(), target, n }.run::<16>();
}

macro_rules! castable {
    ($cast:ident: $($c:ty)*) => {$(
        impl Castable for $c {
            fn cast_slice(dtype: Dtype) -> CastSlice<Self> {
                with_dtype!(dtype, I => $cast::<I, $c>)
            }
        }
    )*};
}
castable!(cast_slice: f32 f64 i32 i64);
castable!(cast_scalars: i128 super::number::Wide);

/// One axis of an image, extended by its boundary.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub boundary: Boundary,
    pub length: usize,
}

impl Line {
    /// The index that `i` reads; `None` for the constant.
    pub(super) fn source(self, i: isize) -> Option<usize> {
        self.boundary.source(i, self.length)
    }
}

/// Packs `n` elements of the extended row, from index `from` on.
///
/// # Safety
/// The `line.length` elements of the row, `stride` elements apart, must be readable and of the dtype of
/// `cast`; `target` must be good for `n` elements.
pub(super) unsafe fn pack_row<C: Castable>(
    cast: &CastRow<C>,
    (source, stride): (*const u8, isize),
    line: Line,
    from: isize,
    fill: C,
    (target, n): (*mut C, usize),
) {
    let length = line.length as isize;
    let element = |i: usize| source.wrapping_offset(i as isize * stride * cast.size as isize);
    let edge = |range: std::ops::Range<usize>| {
        for i in range {
            // SAFETY: `i` is below `n`, and `source` answers with an index of the row.
            unsafe {
                match line.source(from + i as isize) {
                    Some(j) => cast.row(element(j), 1, target.add(i), 1),
                    None => target.add(i).write(fill),
                }
            }
        }
    };
    // What lies inside: target[left..right].
    let left = (-from).clamp(0, n as isize) as usize;
    let right = (length - from).clamp(left as isize, n as isize) as usize;
    edge(0..left);
    if left < right {
        // SAFETY: right - left elements from index from + left on lie inside the row.
        unsafe { cast.row(element((from + left as isize) as usize), stride, target.add(left), right - left) };
    }
    edge(right..n);
}

/// Packs `n` elements of the extended row, `step` apart, from index `from` on.
///
/// # Safety
/// As [`pack_row`].
pub(super) unsafe fn pack_steps<C: Castable>(
    cast: &CastRow<C>,
    (source, stride): (*const u8, isize),
    line: Line,
    (from, step): (isize, usize),
    fill: C,
    (target, n): (*mut C, usize),
) {
    if step == 1 {
        // SAFETY: the caller's promise.
        return unsafe { pack_row(cast, (source, stride), line, from, fill, (target, n)) };
    }
    let element = |i: usize| source.wrapping_offset(i as isize * stride * cast.size as isize);
    // The first element inside, and the first behind.
    let reach = |index: isize| ((index - from).max(0) as usize).div_ceil(step).min(n);
    let (left, right) = (reach(0), reach(line.length as isize));
    for i in (0..left).chain(right..n) {
        // SAFETY: `i` is below `n`, and `source` answers with an index of the row.
        unsafe {
            match line.source(from + (i * step) as isize) {
                Some(j) => cast.row(element(j), 1, target.add(i), 1),
                None => target.add(i).write(fill),
            }
        }
    }
    if left < right {
        let first = (from + (left * step) as isize) as usize;
        // SAFETY: these right - left elements lie inside the row.
        unsafe { cast.row(element(first), stride * step as isize, target.add(left), right - left) };
    }
}

/// The smallest and the largest of `n >= 1` elements.
struct Extremes<I> {
    source: *const I,
    n: usize,
}

impl<I: Magnitude> Kernel for Extremes<I> {
    type Output = (I, I);

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> (I, I) {
        // SAFETY: `values` hands over readable elements, at least one.
        let source = unsafe { std::slice::from_raw_parts(self.source, self.n) };
        let first = source[0];
        let least = |a: I, &b: &I| if b < a { b } else { a };
        let greatest = |a: I, &b: &I| if b > a { b } else { a };
        source.iter().fold((first, first), |(low, high), x| (least(low, x), greatest(high, x)))
    }
}

/// The largest magnitude among `n` integers, and whether one of them is negative.
///
/// # Safety
/// `n` elements of `dtype`, an integer, must be readable, `stride` elements apart.
pub(super) unsafe fn values(simd: Simd, dtype: Dtype, source: *const u8, stride: isize, n: usize) -> Values {
    let mut values = Values { magnitude: 0, negative: false };
    if n == 0 {
        return values;
    }
    // SAFETY: the caller's promise.
    unsafe {
        gathered(dtype.size(), source, stride, n, |piece, _, len| {
            with_dtype!(dtype, I => {
                let (low, high) = simd.run(Extremes { source: piece.cast::<I>(), n: len });
                values.magnitude = values.magnitude.max(low.integer().unsigned_abs()).max(high.integer().unsigned_abs());
                values.negative |= low.integer() < 0;
            });
        });
    }
    values
}

/// The sum of the magnitudes of `n` integers, saturating.
///
/// # Safety
/// As [`values`].
pub(super) unsafe fn sum_of_magnitudes(dtype: Dtype, source: *const u8, stride: isize, n: usize) -> u128 {
    with_dtype!(dtype, I => {
        let source = source.cast::<I>();
        // SAFETY: the caller's promise.
        let magnitude = |i: usize| unsafe { (*source.offset(i as isize * stride)).integer().unsigned_abs() };
        (0..n).fold(0, |sum: u128, i| sum.saturating_add(magnitude(i)))
    })
}
