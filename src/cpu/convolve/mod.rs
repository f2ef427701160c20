//! Convolution on the CPU. [`choice`] picks the algorithm: [`fast_fir`], [`fft`], [low-rank](low_rank) kernels as passes, or the direct
//! one: blocks of outputs held in vector registers, over bands packed to fit the caches.
//!
//! The direct convolution is linear in outputs × taps and reads the operands in place, whatever their strides. Its float
//! results have one fused multiply-add per tap, in row-major order, from an accumulator that starts at +0: the same bits for
//! every thread count, tile, part and instruction set. Integer results are exact ([`ConvolvePlan::accumulator`]) and rounded
//! or checked once.

mod block;
mod choice;
mod cost;
mod dots;
mod exact;
mod fast_fir;
mod fft;
mod general;
mod lanes;
mod layout;
mod nest;
mod nesting;
mod number;
mod pack;
mod range;
pub(super) mod separable;
mod spread;
mod store;
#[cfg(test)]
mod tests;
mod tile;
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code, reason = "other vectors have no shifts that pay"))]
mod window;
mod windows;

use std::sync::Arc;

use self::block::Blocked;
use self::choice::Choice;
use self::dots::Feed;
use self::fast_fir::FastFir;
use self::fft::{Overlap, Tiles, Transformed};
use self::general::General;
use self::layout::Layout;
use self::nest::Nested;
use self::nesting::Nest;
use self::number::Wide;
use self::pack::{CastRow, Castable};
use self::spread::Spreadable;
use self::store::{Finish, FinishRow, Finishable, Leave};
use self::tile::Job;
use super::simd::Simd;
use crate::array::{HostVec, Storage};
use crate::engine::Target;
use crate::plan::{Accumulator, Algorithm, Boundary, ConvolvePlan, Overflow, low_rank};
use crate::view::View;
use crate::{Control, Error, Result};

/// Outputs of more bytes than this are [large](Leave): with their image they would fill a last level of 16 to 32 MiB.
const STREAM_BYTES: usize = 8 << 20;

/// Which algorithm a plan would be done with, and the predicted times of all.
pub(super) fn explain(plan: &ConvolvePlan, simd: Simd, threads: usize) -> String {
    choice::explain(plan, simd, threads)
}

/// Runs `plan`, or the part that it is, on the current threads.
///
/// # Errors
/// [`Error::Overflow`] if an exact integer result does not fit the result's dtype, [`Error::Cancelled`],
/// [`Error::OutOfMemory`], and [`Error::Invalid`] or [`Error::Dtype`] if an operand or the target is not the plan's.
pub(super) fn run(
    plan: &ConvolvePlan,
    image: View<'_>,
    kernel: View<'_>,
    target: Target<'_>,
    simd: Simd,
    control: &Control,
) -> Result<Option<Storage>> {
    expect("image", &image, plan.image_dtype, plan.image_shape())?;
    expect("kernel", &kernel, plan.kernel_dtype, plan.kernel_shape())?;
    let at_once = control.memory_limit().map_or(usize::MAX, |limit| kernels_within(plan, limit));
    match target {
        Target::Host(mut out) => {
            out.expect(plan.out_dtype, &plan.shape)?;
            for kernels in plan.kernels.clone().step_by(at_once) {
                let part = plan.part(
                    plan.images.clone(),
                    kernels..plan.kernels.end.min(kernels.saturating_add(at_once)),
                    plan.rows.clone(),
                );
                compute(&part, &image, &kernel, layout::whole(&part, out.reborrow()), simd, control)?;
            }
            Ok(None)
        }
        Target::Device(storage) => {
            let (dtype, len) = (plan.out_dtype, plan.outputs());
            let mut vec = match storage {
                Some(Storage::Host(vec)) if vec.dtype() == dtype && vec.len() == len && Arc::strong_count(&vec) == 1 => vec,
                _ => Arc::new(HostVec::zeros(dtype, len)?),
            };
            // The only owner: a copy is never made here.
            let out = Arc::make_mut(&mut vec);
            if at_once < plan.kernels.len() && plan.outputs() == plan.shape.iter().product::<usize>() {
                run(plan, image, kernel, Target::Host(out.view_mut(&plan.shape)), simd, control)?;
            } else {
                compute(plan, &image, &kernel, layout::packed(plan, out), simd, control)?;
            }
            Ok(Some(Storage::Host(vec)))
        }
    }
}

/// Kernels whose weights or transforms take at most so many bytes, one at least.
fn kernels_within(plan: &ConvolvePlan, limit: u64) -> usize {
    let taps = plan.sum_channels() * plan.kernel.iter().product::<usize>();
    // Sums of 16 bytes at most; fast FIR has five times as many weights.
    let mut elements = 5 * taps;
    if plan.is_plain() && matches!(plan.algorithm, Algorithm::Auto | Algorithm::Fft) {
        elements = elements.max(plan.kernel[0] * Tiles::choose(plan, size_of::<f64>()).len());
    }
    (limit / (16 * elements as u64)).clamp(1, usize::MAX as u64) as usize
}

fn expect(what: &str, view: &View<'_>, dtype: crate::Dtype, shape: Vec<usize>) -> Result<()> {
    if view.dtype() != dtype {
        return Err(Error::Dtype { what: what.into(), got: view.dtype(), expected: dtype.to_string() });
    }
    if view.shape() != shape {
        return Err(Error::invalid(format!("{what} shape"), format!("{:?}", view.shape()), format!("{shape:?}")));
    }
    Ok(())
}

fn compute(
    plan: &ConvolvePlan,
    image: &View<'_>,
    kernel: &View<'_>,
    output: Layout,
    simd: Simd,
    control: &Control,
) -> Result<()> {
    if plan.outputs() == 0 {
        return Ok(());
    }
    control.check()?;
    if plan.is_exact_float() {
        return exact::run(plan, image, kernel, output, simd, control);
    }
    let ranges = if plan.is_integer() { Some(range::analyse(plan, image, kernel, simd, control)?) } else { None };
    let reach = ranges.as_ref().map_or(0, |ranges| ranges.reach);
    let work = Work { plan, image, kernel, output, reach, simd, control };
    if let (Some(ranges), Algorithm::Auto | Algorithm::Direct) = (&ranges, plan.algorithm)
        && plan.is_plain()
        && plan.accumulator(reach) <= Accumulator::I32
        && let Some(feed) = dots::feed(simd, ranges.image, ranges.weights)
        && !choice::outdoes_dots(plan, reach, simd)
    {
        return work.job_fed_by(feed)?.run();
    }
    match choice::choose(plan, kernel, reach, simd)? {
        Choice::Direct => {}
        Choice::Separable(terms) => {
            return match plan.accumulator(reach) {
                Accumulator::F32 => work.separable::<f32>(&terms),
                _ => work.separable::<f64>(&terms),
            };
        }
        Choice::FastFir(nest) => {
            let growth = nest.growth();
            let fits = |bits: u32| !plan.is_integer() || reach.saturating_mul(growth) < 1 << bits;
            // In 32-bit and 64-bit integers the differences and sums are exact modulo 2^32 and 2^64.
            match plan.accumulator(reach) {
                Accumulator::F32 if fits(24) => return work.fast_fir::<f32>(nest),
                Accumulator::F32 | Accumulator::I32 => return work.fast_fir::<i32>(nest),
                Accumulator::F64 if fits(53) => return work.fast_fir::<f64>(nest),
                Accumulator::F64 | Accumulator::I64 => return work.fast_fir::<i64>(nest),
                Accumulator::Wide => {}
            }
        }
        Choice::Fft(tiles) if plan.is_integer() => {
            if fft::is_exact(reach, &tiles) {
                return work.fft::<f64>(tiles);
            }
            if plan.algorithm == Algorithm::Fft {
                let expected = format!("one that is exact for integers of up to {reach} (direct or fast-fir)");
                return Err(Error::invalid("algorithm", plan.algorithm, expected));
            }
        }
        Choice::Fft(tiles) => {
            return match plan.accumulator(reach) {
                Accumulator::F32 => work.fft::<f32>(tiles),
                _ => work.fft::<f64>(tiles),
            };
        }
    }
    if !plan.is_plain() {
        return match plan.accumulator(reach) {
            Accumulator::F32 => work.general::<f32>(),
            Accumulator::I32 => work.general::<i32>(),
            Accumulator::F64 => work.general::<f64>(),
            Accumulator::I64 => work.general::<i64>(),
            Accumulator::Wide if reach <= i128::MAX as u128 => work.general::<i128>(),
            Accumulator::Wide => work.general::<Wide>(),
        };
    }
    match plan.accumulator(reach) {
        Accumulator::F32 => work.run::<f32>(),
        Accumulator::I32 => work.run::<i32>(),
        Accumulator::F64 => work.run::<f64>(),
        Accumulator::I64 => work.run::<i64>(),
        Accumulator::Wide if reach <= i128::MAX as u128 => work.run::<i128>(),
        Accumulator::Wide => work.run::<Wide>(),
    }
}

/// A part with everything known but the type to compute in.
struct Work<'a> {
    plan: &'a ConvolvePlan,
    image: &'a View<'a>,
    kernel: &'a View<'a>,
    output: Layout,
    reach: u128,
    simd: Simd,
    control: &'a Control,
}

impl<'a> Work<'a> {
    fn run<C: Blocked + Castable + Finishable>(self) -> Result<()> {
        self.job::<C>()?.run()
    }

    fn fast_fir<C: Blocked + Castable + Finishable + Nested>(self, nest: Nest) -> Result<()> {
        let weight = if C::FLOAT { choice::weight(self.plan, self.kernel, self.simd) } else { 0.0 };
        FastFir::new(self.job::<C>()?, nest, weight)?.run()
    }

    fn separable<C: Blocked + Castable + Finishable + Nested>(self, terms: &[low_rank::Terms]) -> Result<()> {
        let weight = choice::weight(self.plan, self.kernel, self.simd);
        let kernels = &terms[self.plan.kernels.clone()];
        let count = kernels.first().map_or(1, Vec::len);
        let (mut columns, mut rows) = (vec![], vec![]);
        for terms in kernels {
            for y in 0..self.plan.kernel[1] {
                columns.extend(terms.iter().map(|(column, _)| C::from_fill(column[y])));
            }
            rows.extend(terms.iter().flat_map(|(_, row)| row).map(|&w| C::from_fill(w)));
        }
        FastFir::separable(self.job::<C>()?, fast_fir::Terms { count, columns, rows }, weight)?.run()
    }

    fn fft<C: Blocked + Castable + Finishable + Transformed>(self, tiles: Tiles) -> Result<()> {
        let weight = choice::weight(self.plan, self.kernel, self.simd);
        Overlap::new(self.job::<C>()?, tiles, weight)?.run()
    }

    /// A convolution with channels, strides, dilations or complex numbers.
    fn general<C: Spreadable + Castable + Finishable>(self) -> Result<()> {
        let Self { plan, image, kernel, output, reach, simd, control } = self;
        let finish = FinishRow::new(simd, plan.out_dtype.real(), finish(plan, &output, reach));
        General::<C>::new(plan, layout::images(plan, image), &layout::kernels(plan, kernel), output, finish, simd, control)?.run()
    }

    /// The direct convolution, one tap at a time.
    fn job<C: Blocked + Castable + Finishable>(self) -> Result<Job<'a, C>> {
        let feed = Feed::single(self.simd);
        self.job_fed_by(feed)
    }

    /// The direct convolution.
    fn job_fed_by<C: Blocked + Castable + Finishable>(self, feed: Feed<C>) -> Result<Job<'a, C>> {
        let Self { plan, image, kernel, output, reach, simd, control } = self;
        let [kd, kh, kw] = plan.kernel;
        let groups = tile::groups(plan.kernels.len(), kd * kh * kw.div_ceil(feed.taps));
        let weights = weights(plan, kernel, &groups, &feed, simd)?;
        let finish = finish(plan, &output, reach);
        Ok(Job {
            plan,
            control,
            simd,
            image: layout::images(plan, image),
            cast: CastRow::new(simd, plan.image_dtype),
            fill: plan.boundary.map(|b: Boundary| C::from_fill(b.fill())),
            groups,
            weights,
            finish: FinishRow::new(simd, plan.out_dtype, finish),
            output,
            feed,
        })
    }
}

/// How results become those of the result's dtype.
fn finish(plan: &ConvolvePlan, output: &Layout, reach: u128) -> Finish {
    let doubtful = plan.is_integer() && !plan.always_fits(reach);
    let bytes = plan.outputs() * plan.out_dtype.size();
    Finish {
        integer: plan.is_integer(),
        check: doubtful && plan.overflow == Overflow::Error,
        saturate: doubtful && plan.overflow == Overflow::Saturate,
        leave: if output.strides[2] == 1 { Leave::of(bytes) } else { Leave::Stored },
    }
}

/// The part's weights in the type computed in, group by group, tap by tap, kernel by kernel.
fn weights<C: Castable>(
    plan: &ConvolvePlan,
    kernel: &View<'_>,
    groups: &[tile::Group],
    feed: &Feed<C>,
    simd: Simd,
) -> Result<Vec<C>> {
    let layout = layout::kernels(plan, kernel);
    let [kd, kh, kw] = plan.kernel;
    let steps = kw.div_ceil(feed.taps);
    let (taps, cast) = (kd * kh * steps, CastRow::<C>::new(simd, plan.kernel_dtype));
    let mut weights = Vec::new();
    let bytes = (plan.kernels.len() * taps).saturating_mul(size_of::<C>()) as u64;
    let failed = |_| Error::OutOfMemory { device: "the host".into(), bytes };
    weights.try_reserve_exact(plan.kernels.len() * taps).map_err(failed)?;
    weights.resize(plan.kernels.len() * taps, C::ZERO);
    let mut line = vec![C::ZERO; kw];
    for group in groups {
        for k in 0..group.count {
            for (row, target) in weights[group.weights..][..taps * group.count].chunks_exact_mut(steps * group.count).enumerate()
            {
                let mut place = [row / kh, row % kh, 0];
                let mut stride = layout.strides[2];
                if plan.reversed {
                    place = [kd - 1 - place[0], kh - 1 - place[1], kw - 1];
                    stride = -stride;
                }
                let offset: isize = place.iter().zip(layout.strides).map(|(&i, s)| i as isize * s).sum();
                let start = layout.start.wrapping_offset((layout.images[group.first + k] + offset) * layout.size as isize);
                // SAFETY: a row of a kernel of the view, forwards or backwards.
                unsafe { cast.row(start.cast_const(), stride, line.as_mut_ptr(), kw) };
                if let Some(combine) = feed.combine {
                    // SAFETY: the line has so many elements; the feed was chosen for instructions that are present.
                    unsafe { combine(line.as_mut_ptr(), kw) };
                }
                for (x, &w) in line.iter().step_by(feed.taps).enumerate() {
                    target[x * group.count + k] = w;
                }
            }
        }
    }
    Ok(weights)
}
