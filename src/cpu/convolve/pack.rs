//! The way in: rows of any dtype and stride become rows of the type computed in, with the boundary resolved.

use super::number::{Magnitude, Number, Operand};
use crate::cpu::simd::{Kernel, Simd};
use crate::dtype::with_dtype;
use crate::{Boundary, Dtype};

/// Converts `n` elements, `stride` elements apart.
///
/// # Safety
/// The source elements must be readable and of the dtype that the function was made for; the target must be good for
/// `n` elements.
pub(super) type CastRow<C> = unsafe fn(simd: Simd, source: *const u8, stride: isize, target: *mut C, n: usize);

/// Whether `C` can be converted to from every dtype.
pub(super) trait Castable: Number {
    /// The conversion from `dtype`.
    fn cast_row(dtype: Dtype) -> CastRow<Self>;
}

struct Cast<I, C> {
    source: *const I,
    stride: isize,
    target: *mut C,
    n: usize,
}

impl<I: Operand<C>, C> Kernel for Cast<I, C> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let Self { source, stride, target, n } = self;
        // SAFETY: `cast_row`'s caller promises `n` elements on either side; they do not overlap, for the target is scratch.
        unsafe {
            if stride == 1 {
                for i in 0..n {
                    target.add(i).write((*source.add(i)).operand());
                }
            } else {
                for i in 0..n {
                    target.add(i).write((*source.offset(i as isize * stride)).operand());
                }
            }
        }
    }
}

unsafe fn cast_row<I: Operand<C>, C>(simd: Simd, source: *const u8, stride: isize, target: *mut C, n: usize) {
    simd.run(Cast { source: source.cast::<I>(), stride, target, n });
}

macro_rules! castable {
    ($($c:ty)*) => {$(
        impl Castable for $c {
            fn cast_row(dtype: Dtype) -> CastRow<Self> {
                with_dtype!(dtype, I => cast_row::<I, $c>)
            }
        }
    )*};
}
castable!(f32 f64 i32 i64 i128 super::number::Wide);

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
/// The `line.length` elements of the row, `stride` elements of `size` bytes apart, must be readable and of the dtype of
/// `cast`; `target` must be good for `n` elements.
pub(super) unsafe fn pack_row<C: Number>(
    (simd, cast, size): (Simd, CastRow<C>, usize),
    (source, stride): (*const u8, isize),
    line: Line,
    from: isize,
    fill: C,
    (target, n): (*mut C, usize),
) {
    let length = line.length as isize;
    let element = |i: usize| source.wrapping_offset(i as isize * stride * size as isize);
    let edge = |range: std::ops::Range<usize>| {
        for i in range {
            // SAFETY: `i` is below `n`, and `source` answers with an index of the row.
            unsafe {
                match line.source(from + i as isize) {
                    Some(j) => cast(simd, element(j), 1, target.add(i), 1),
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
        unsafe { cast(simd, element((from + left as isize) as usize), stride, target.add(left), right - left) };
    }
    edge(right..n);
}

/// The smallest and the largest of some elements, `stride` apart.
struct Extremes<I> {
    source: *const I,
    stride: isize,
    n: usize,
}

impl<I: Magnitude> Kernel for Extremes<I> {
    type Output = (I, I);

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> (I, I) {
        let Self { source, stride, n } = self;
        // SAFETY: `largest_magnitude`'s caller promises `n >= 1` readable elements.
        unsafe {
            let (mut low, mut high) = (*source, *source);
            if stride == 1 {
                for i in 0..n {
                    let x = *source.add(i);
                    low = if x < low { x } else { low };
                    high = if x > high { x } else { high };
                }
            } else {
                for i in 0..n {
                    let x = *source.offset(i as isize * stride);
                    low = if x < low { x } else { low };
                    high = if x > high { x } else { high };
                }
            }
            (low, high)
        }
    }
}

/// The largest magnitude among `n` integers.
///
/// # Safety
/// `n` elements of `dtype`, an integer, must be readable, `stride` elements apart.
pub(super) unsafe fn largest_magnitude(simd: Simd, dtype: Dtype, source: *const u8, stride: isize, n: usize) -> u128 {
    if n == 0 {
        return 0;
    }
    with_dtype!(dtype, I => {
        let (low, high) = simd.run(Extremes { source: source.cast::<I>(), stride, n });
        low.integer().unsigned_abs().max(high.integer().unsigned_abs())
    })
}

/// The sum of the magnitudes of `n` integers, saturating.
///
/// # Safety
/// As [`largest_magnitude`].
pub(super) unsafe fn sum_of_magnitudes(dtype: Dtype, source: *const u8, stride: isize, n: usize) -> u128 {
    with_dtype!(dtype, I => {
        let source = source.cast::<I>();
        // SAFETY: the caller's promise.
        let magnitude = |i: usize| unsafe { (*source.offset(i as isize * stride)).integer().unsigned_abs() };
        (0..n).fold(0, |sum: u128, i| sum.saturating_add(magnitude(i)))
    })
}
