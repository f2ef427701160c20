//! The way out: rows of the type computed in become rows of any dtype and stride, rounded or checked once.

use std::mem::MaybeUninit;

use super::number::{Number, Outcome};
use crate::Dtype;
use crate::cpu::simd::{Kernel, Simd};
use crate::dtype::with_dtype;

/// How a row is finished.
#[derive(Clone, Copy)]
pub(super) struct Finish {
    /// The operands were integers: values are exact.
    pub integer: bool,
    /// A value may not fit the output.
    pub check: bool,
    /// Store past the caches: the output is much larger than they are. Ends with [`fence`].
    pub stream: bool,
}

/// Writes `n` values, `stride` elements apart. False if a value was to be checked and does not fit.
///
/// # Safety
/// `source` must be good for `n` values; the target elements must be writable, of the dtype that the function was made
/// for, and unshared.
pub(super) type FinishRow<C> =
    unsafe fn(simd: Simd, finish: Finish, source: *const C, n: usize, target: *mut u8, stride: isize) -> bool;

/// A type that can be converted to every dtype.
pub(super) trait Finishable: Number {
    /// The conversion to `dtype`.
    fn finish_row(dtype: Dtype) -> FinishRow<Self>;
}

struct Row<C, O> {
    finish: Finish,
    source: *const C,
    n: usize,
    target: *mut O,
    stride: isize,
}

impl<C: Number + Outcome<O>, O> Kernel for Row<C, O> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        // SAFETY: the caller of `finish_row` promises `n` values at `source`.
        let source = unsafe { std::slice::from_raw_parts(self.source, self.n) };
        if self.finish.check && !source.iter().fold(true, |fits, v| fits & v.fits()) {
            return false;
        }
        // SAFETY: the caller of `finish_row` promises `n` writable elements.
        unsafe {
            if !C::FLOAT || self.finish.integer {
                write::<C, O, BYTES>(source, self.target, self.stride, self.finish.stream, |v| v.exact());
            } else {
                write::<C, O, BYTES>(source, self.target, self.stride, self.finish.stream, |v| v.round());
            }
        }
        true
    }
}

/// Writes `convert` of every value.
///
/// # Safety
/// The target elements must be writable.
#[inline(always)]
unsafe fn write<C: Copy, O, const BYTES: usize>(
    source: &[C],
    target: *mut O,
    stride: isize,
    stream: bool,
    convert: impl Fn(C) -> O,
) {
    // SAFETY: index i stays below the number of values, and so of target elements.
    unsafe {
        if stride != 1 {
            for (i, &v) in source.iter().enumerate() {
                target.offset(i as isize * stride).write(convert(v));
            }
        } else if stream && cfg!(target_arch = "x86_64") && BYTES >= 32 {
            let head = target.align_offset(LINE).min(source.len());
            for (i, &v) in source[..head].iter().enumerate() {
                target.add(i).write(convert(v));
            }
            let per_line = LINE / size_of::<O>();
            let mut line = Line([const { MaybeUninit::<u64>::uninit() }; LINE / 8]);
            let staged = line.0.as_mut_ptr().cast::<O>();
            let mut i = head;
            while i + per_line <= source.len() {
                for j in 0..per_line {
                    staged.add(j).write(convert(*source.get_unchecked(i + j)));
                }
                stream_line::<BYTES>(staged.cast(), target.add(i).cast());
                i += per_line;
            }
            for (i, &v) in source.iter().enumerate().skip(i) {
                target.add(i).write(convert(v));
            }
        } else {
            for (i, &v) in source.iter().enumerate() {
                target.add(i).write(convert(v));
            }
        }
    }
}

/// Bytes of a cache line.
const LINE: usize = 64;

/// A cache line's worth of output, on its way to memory.
#[repr(align(64))]
struct Line([MaybeUninit<u64>; LINE / 8]);

/// Copies one cache line past the caches.
///
/// # Safety
/// Both must be good for 64 bytes, aligned to 64; vectors of `BYTES` must be present.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn stream_line<const BYTES: usize>(source: *const u8, target: *mut u8) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's promise.
    unsafe {
        if BYTES >= 64 {
            _mm512_stream_si512(target.cast(), _mm512_load_si512(source.cast()));
        } else {
            _mm256_stream_si256(target.cast(), _mm256_load_si256(source.cast()));
            _mm256_stream_si256(target.add(32).cast(), _mm256_load_si256(source.add(32).cast()));
        }
    }
}

/// Never called: streaming is for x86-64 only.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn stream_line<const BYTES: usize>(_: *const u8, _: *mut u8) {}

/// Orders streamed stores before all that follows.
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of the target.
    unsafe {
        std::arch::x86_64::_mm_sfence()
    };
}

unsafe fn finish_row<C: Number + Outcome<O>, O>(
    simd: Simd,
    finish: Finish,
    source: *const C,
    n: usize,
    target: *mut u8,
    stride: isize,
) -> bool {
    simd.run(Row { finish, source, n, target: target.cast::<O>(), stride })
}

macro_rules! finishable {
    ($($c:ty)*) => {$(
        impl Finishable for $c {
            fn finish_row(dtype: Dtype) -> FinishRow<Self> {
                with_dtype!(dtype, O => finish_row::<$c, O>)
            }
        }
    )*};
}
finishable!(f32 f64 i32 i64 i128 super::number::Wide);
