//! The way out: rows of the type computed in become rows of any dtype and stride, rounded or checked once.

use std::ops::Range;

use super::layout::Layout;
use super::number::{Number, Outcome};
use crate::cpu::simd::{Kernel, Simd, prefetch, wished};
use crate::dtype::with_dtype;
use crate::fork::Raced;
use crate::plan::ConvolvePlan;
use crate::{Dtype, Error, Result};

/// How a row is finished.
#[derive(Clone, Copy)]
pub(super) struct Finish {
    /// The operands were integers: values are exact.
    pub integer: bool,
    /// A value may not fit the output.
    pub check: bool,
    /// A value that does not fit becomes the nearest one that does.
    pub saturate: bool,
    /// The way to memory.
    pub leave: Leave,
}

/// How results come to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leave {
    /// As they are stored: the output is small, or its elements lie apart.
    Stored,
    /// Past the caches: the output is much larger than they are, and a line that is stored the ordinary way is read first. Ends
    /// with [`fence`].
    Past,
    /// Through the caches, whose lines are asked for before the results are there: the output is much larger than they are.
    Through,
}

impl Leave {
    /// The way of so many bytes that lie next to each other.
    pub(super) fn of(bytes: usize) -> Self {
        #[cfg(test)]
        if let Some(asked) = ASKED.get() {
            return asked;
        }
        if bytes <= super::STREAM_BYTES { Self::Stored } else { Self::large() }
    }

    /// The way of large outputs on this machine, unless the environment variable `UNISONO_STORES` (`past`, `through`) says
    /// otherwise.
    ///
    /// One of Intel's cores has some ten lines at a time on their way past the caches, each for as long as memory takes. When its
    /// queue of stores is full, it waits, and that adds to the time of the arithmetic. Lines leave the caches by themselves while
    /// arithmetic goes on. On a Zen 5 the other way is faster.
    fn large() -> Self {
        static LARGE: Raced<Leave> = Raced::new();
        *LARGE.get(|| {
            let usual = if crate::cpu::simd::is_intel() { Self::Through } else { Self::Past };
            wished("UNISONO_STORES", [("past", Self::Past), ("through", Self::Through)], usual)
        })
    }
}

#[cfg(test)]
thread_local! {
    static ASKED: std::cell::Cell<Option<Leave>> = const { std::cell::Cell::new(None) };
}

/// Runs work that this thread plans with outputs that come to memory this way, however large they are.
#[cfg(test)]
pub(super) fn asked<T>(leave: Leave, work: impl FnOnce() -> T) -> T {
    let before = ASKED.replace(Some(leave));
    let done = work();
    ASKED.set(before);
    done
}

/// Converts `n` values to elements next to each other. False if a value was to be checked and does not fit.
///
/// # Safety
/// `source` must be good for `n` values; the target elements must be writable and of the dtype that the function was
/// made for.
type Convert<C> = unsafe fn(simd: Simd, finish: Finish, source: *const C, n: usize, target: *mut u8) -> bool;

/// A type that can be converted to every dtype.
pub(super) trait Finishable: Number {
    /// The conversion to `dtype`.
    fn convert(dtype: Dtype) -> Convert<Self>;

    /// Whether elements of `dtype` are values of this type as they are.
    fn is(dtype: Dtype) -> bool;
}

/// The rows that a block has filled: where they go.
pub(super) struct Rows {
    /// The image and the kernels, counted from the part's first.
    pub image: usize,
    pub kernels: Range<usize>,
    /// Depth, row and column of the first output.
    pub first: [usize; 3],
    /// Rows per kernel.
    pub height: usize,
    pub columns: usize,
}

/// How rows of results become rows of the output.
#[derive(Clone, Copy)]
pub(super) struct FinishRow<C> {
    simd: Simd,
    finish: Finish,
    size: usize,
    convert: Convert<C>,
    /// Values are stored as they are.
    plain: bool,
}

impl<C: Finishable> FinishRow<C> {
    pub(super) fn new(simd: Simd, dtype: Dtype, finish: Finish) -> Self {
        let plain = C::is(dtype) && !finish.check && !finish.saturate;
        Self { simd, finish, size: dtype.size(), convert: C::convert(dtype), plain }
    }

    /// Whether rows are stored past the caches, so that [`fence`] is due.
    pub(super) fn streams(&self) -> bool {
        self.finish.leave == Leave::Past
    }

    /// How rows come to memory.
    pub(super) fn leave(&self) -> Leave {
        self.finish.leave
    }

    /// Whether values are stored as they are.
    pub(super) fn is_plain(&self) -> bool {
        self.plain
    }

    /// Asks for the lines of `n` elements from `target` on that will be stored soon, at any address, if that is the way.
    #[inline(always)]
    pub(super) fn fetch(&self, target: *const u8, n: usize) {
        if self.finish.leave == Leave::Through {
            for line in (0..n * self.size).step_by(LINE) {
                prefetch(target.wrapping_add(line));
            }
        }
    }

    /// Whether the values are integers, exactly.
    pub(super) fn is_integer(&self) -> bool {
        self.finish.integer
    }

    /// Writes the rows of results of a block, kernel by kernel, `out_row` values from one to the next.
    ///
    /// # Safety
    /// `results` must hold them, and the outputs be writable and unshared.
    pub(super) unsafe fn rows(
        &self,
        plan: &ConvolvePlan,
        output: &Layout,
        rows: &Rows,
        results: *const C,
        out_row: usize,
    ) -> Result<()> {
        let Rows { image, ref kernels, first: [z, y, x], height, columns } = *rows;
        let [stride_z, stride_y, stride_x] = output.strides;
        for (k, kernel) in kernels.clone().enumerate() {
            for r in 0..height {
                let place = z as isize * stride_z + (y + r) as isize * stride_y + x as isize * stride_x;
                let offset = output.images[image] + output.kernels[kernel] + place;
                // SAFETY: the caller's promise.
                if unsafe { !self.row(results.add((k * height + r) * out_row), columns, output.at(offset), stride_x) } {
                    return Err(Error::Overflow { op: plan.name(), out_dtype: plan.out_dtype });
                }
            }
        }
        Ok(())
    }

    /// Writes `n` values next to each other, through the caches whatever else was asked for. False if one does not fit.
    ///
    /// # Safety
    /// As [`row`](Self::row).
    pub(super) unsafe fn convert(&self, source: *const C, n: usize, target: *mut u8) -> bool {
        // SAFETY: the caller's promise.
        unsafe { (self.convert)(self.simd, self.finish, source, n, target) }
    }

    /// Writes `n` values, `stride` elements apart. False if one does not fit.
    ///
    /// # Safety
    /// `source` must be good for `n` values; the target elements must be writable, of the dtype, and unshared.
    pub(super) unsafe fn row(&self, source: *const C, n: usize, target: *mut u8, stride: isize) -> bool {
        let Self { simd, finish, size, convert, plain } = *self;
        if stride == 1 && finish.leave != Leave::Past {
            // SAFETY: the caller's promise.
            return unsafe { convert(simd, finish, source, n, target) };
        }
        if stride == 1 && plain {
            // SAFETY: the caller's promise; the values are elements as they are.
            unsafe { stream(simd, source.cast(), target, n * size) };
            return true;
        }
        let mut stage = Stage([0; STAGE / 8]);
        let stage = stage.0.as_mut_ptr().cast::<u8>();
        let (mut i, mut fits) = (0, true);
        if stride != 1 {
            while i < n {
                let len = (n - i).min(STAGE / size);
                // SAFETY: elements i.. of either side are below n; the stage holds them.
                unsafe {
                    fits &= convert(simd, finish, source.add(i), len, stage);
                    scatter(size, stage, len, target.offset(i as isize * stride * size as isize), stride);
                }
                i += len;
            }
            return fits;
        }
        // Up to a cache line's edge, whole cache lines, the rest.
        let head = (target.align_offset(LINE) / size).min(n);
        // SAFETY: as above; lines start at the edge of one, and only whole ones are streamed.
        unsafe {
            fits &= convert(simd, finish, source, head, target);
            i = head;
            while n - i >= LINE / size {
                let len = (n - i).min(STAGE / size) / (LINE / size) * (LINE / size);
                fits &= convert(simd, finish, source.add(i), len, stage);
                simd.run(Stream { source: stage, target: target.add(i * size), lines: len * size / LINE });
                i += len;
            }
            fits & convert(simd, finish, source.add(i), n - i, target.add(i * size))
        }
    }
}

/// Copies bytes past the caches, but for what is no whole cache line. Ends with [`fence`].
///
/// # Safety
/// Both must be good for `n` bytes, and not overlap; the instruction set must be present.
pub(super) unsafe fn stream(simd: Simd, source: *const u8, target: *mut u8, n: usize) {
    let head = target.align_offset(LINE).min(n);
    let lines = (n - head) / LINE;
    let tail = head + lines * LINE;
    // SAFETY: head, whole lines and tail are the n bytes.
    unsafe {
        std::ptr::copy_nonoverlapping(source, target, head);
        simd.run(Stream { source: source.add(head), target: target.add(head), lines });
        std::ptr::copy_nonoverlapping(source.add(tail), target.add(tail), n - tail);
    }
}

/// Writes staged elements `stride` elements apart.
///
/// # Safety
/// The stage must hold `n` elements of `size` bytes; the targets must be writable.
unsafe fn scatter(size: usize, stage: *const u8, n: usize, target: *mut u8, stride: isize) {
    let at = |i: usize| target.wrapping_offset(i as isize * stride * size as isize);
    // SAFETY: the caller's promise; the stage is aligned for every size.
    unsafe {
        match size {
            1 => (0..n).for_each(|i| at(i).write(*stage.add(i))),
            2 => (0..n).for_each(|i| at(i).cast::<u16>().write(*stage.cast::<u16>().add(i))),
            4 => (0..n).for_each(|i| at(i).cast::<u32>().write(*stage.cast::<u32>().add(i))),
            _ => (0..n).for_each(|i| at(i).cast::<u64>().write(*stage.cast::<u64>().add(i))),
        }
    }
}

struct Values<C, O> {
    finish: Finish,
    source: *const C,
    n: usize,
    target: *mut O,
}

impl<C: Number + Outcome<O>, O> Kernel for Values<C, O> {
    type Output = bool;

    #[inline(always)]
    fn run<const BYTES: usize>(self) -> bool {
        // SAFETY: the caller of `Convert` promises `n` values.
        let source = unsafe { std::slice::from_raw_parts(self.source, self.n) };
        if self.finish.check && !source.iter().fold(true, |fits, v| fits & v.fits()) {
            return false;
        }
        if self.finish.saturate {
            for (i, &v) in source.iter().enumerate() {
                // SAFETY: the caller of `Convert` promises `n` writable elements.
                unsafe { self.target.add(i).write(v.saturated()) };
            }
        } else if !C::FLOAT || self.finish.integer {
            for (i, &v) in source.iter().enumerate() {
                // SAFETY: as above.
                unsafe { self.target.add(i).write(v.exact()) };
            }
        } else {
            for (i, &v) in source.iter().enumerate() {
                // SAFETY: as above.
                unsafe { self.target.add(i).write(v.round()) };
            }
        }
        true
    }
}

/// Bytes converted at a time on their way past the caches or to strided elements.
const STAGE: usize = 1024;

#[repr(align(64))]
struct Stage([u64; STAGE / 8]);

/// Bytes of a cache line.
const LINE: usize = 64;

/// Copies some cache lines past the caches, where there is a way.
struct Stream {
    source: *const u8,
    target: *mut u8,
    lines: usize,
}

impl Kernel for Stream {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for line in 0..self.lines {
            // SAFETY: `row` hands over whole lines of its stage or its source, and of its target, aligned there.
            unsafe { stream_line::<BYTES>(self.source.add(line * LINE), self.target.add(line * LINE)) };
        }
    }
}

/// Copies one cache line past the caches.
///
/// # Safety
/// Both must be good for 64 bytes, the target aligned to 64; vectors of `BYTES` must be present.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn stream_line<const BYTES: usize>(source: *const u8, target: *mut u8) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's promise.
    unsafe {
        if BYTES >= 64 {
            _mm512_stream_si512(target.cast(), _mm512_loadu_si512(source.cast()));
        } else {
            for i in 0..4 {
                _mm_stream_si128(target.cast::<__m128i>().add(i), _mm_loadu_si128(source.cast::<__m128i>().add(i)));
            }
        }
    }
}

/// Copies one cache line.
///
/// # Safety
/// Both must be good for 64 bytes.
#[cfg(not(target_arch = "x86_64"))]
unsafe fn stream_line<const BYTES: usize>(source: *const u8, target: *mut u8) {
    // SAFETY: the caller's promise; scratch and output do not overlap.
    unsafe { std::ptr::copy_nonoverlapping(source, target, LINE) }
}

/// Orders streamed stores before all that follows.
pub(super) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE is part of the target.
    unsafe {
        std::arch::x86_64::_mm_sfence()
    };
}

unsafe fn convert<C: Number + Outcome<O>, O>(simd: Simd, finish: Finish, source: *const C, n: usize, target: *mut u8) -> bool {
    simd.run(Values { finish, source, n, target: target.cast::<O>() })
}

/// [`convert`] for types without vectors.
unsafe fn convert_scalars<C: Number + Outcome<O>, O>(
    _: Simd,
    finish: Finish,
    source: *const C,
    n: usize,
    target: *mut u8,
) -> bool {
    Values { finish, source, n, target: target.cast::<O>() }.run::<16>()
}

macro_rules! finishable {
    ($convert:ident: $($c:ty, $same:expr;)*) => {$(
        impl Finishable for $c {
            fn convert(dtype: Dtype) -> Convert<Self> {
                with_dtype!(dtype, O => $convert::<$c, O>)
            }

            fn is(dtype: Dtype) -> bool {
                $same == Some(dtype)
            }
        }
    )*};
}
finishable!(convert: f32, Some(Dtype::F32); f64, Some(Dtype::F64); i32, Some(Dtype::I32); i64, Some(Dtype::I64););
finishable!(convert_scalars: i128, None; super::number::Wide, None;);
