//! Results on their way out: as segments of device memory, or into the host's.

use std::ops::Range;

use super::chunk::{Axis, Chunk};
use super::{Images, Work, axes, image_bytes, upload};
use crate::array::Storage;
use crate::engine::Target;
use crate::gpu::memory::{Block, Gathered, GpuBuffer};
use crate::gpu::stream::Stream;
use crate::plan::ConvolvePlan;
use crate::view::ViewMut;
use crate::{Dtype, Result};

impl Work<'_> {
    /// Computes the chunks and puts their results where they belong.
    pub(super) fn deliver(&mut self, chunks: &[Chunk], target: Target<'_>) -> Result<Option<Storage>> {
        match target {
            Target::Host(mut out) => self.bring(chunks, &mut out).map(|()| None),
            Target::Device(old) => self.keep(chunks, old).map(Some),
        }
    }

    /// Bytes of a chunk's sums and of its results, in whole words.
    fn bytes(&self, chunk: &Chunk) -> (u64, u64) {
        let outputs = chunk.outputs();
        (4 * self.sums.words() * self.numbers(chunk), (outputs * self.plan.out_dtype.size() as u64).next_multiple_of(4))
    }

    fn keep(&mut self, chunks: &[Chunk], old: Option<Storage>) -> Result<Storage> {
        // The images may be the storage's own: then somebody else holds its blocks, and they are not reused.
        let mut reused = GpuBuffer::reuse(old, self.context);
        let mut sums: Option<Block> = None;
        let mut segments = vec![];
        let size = self.plan.out_dtype.size() as u64;
        let mut compute = |work: &mut Self, chunk: &Chunk, (): &mut ()| {
            let (sum_bytes, result_bytes) = work.bytes(chunk);
            let fitting = reused.iter().position(|block| block.size() >= result_bytes && block.size() <= 2 * result_bytes + 4096);
            let result = match fitting {
                Some(at) => reused.swap_remove(at),
                None => work.context.block(result_bytes)?,
            };
            let raw = match (work.direct, sums.take()) {
                (true, _) => result.clone(),
                (false, Some(block)) if block.size() >= sum_bytes => block,
                (false, _) => work.context.block(sum_bytes)?,
            };
            work.compute(chunk, &raw, &result)?;
            sums = Some(raw).filter(|_| !work.direct);
            segments.push((result, chunk.outputs() * size));
            Ok(())
        };
        let places = vec![(); self.places];
        self.stream(chunks, places, &mut compute, &mut |_, ()| Ok(()))?;
        Ok(Storage::Gpu(GpuBuffer::new(self.context.clone(), segments)))
    }

    fn bring(&mut self, chunks: &[Chunk], out: &mut ViewMut<'_>) -> Result<()> {
        let most = |bytes: fn((u64, u64)) -> u64| chunks.iter().map(|chunk| bytes(self.bytes(chunk))).max().unwrap_or(4);
        let (sum_bytes, result_bytes) = (most(|bytes| bytes.0), most(|bytes| bytes.1));
        let (context, plan, control) = (self.context, self.plan, self.control);
        let raw = if self.direct { None } else { Some(context.block(sum_bytes)?) };
        let places: Result<Vec<Block>> = (0..self.places.min(chunks.len())).map(|_| context.block(result_bytes)).collect();
        let mut compute = |work: &mut Self, chunk: &Chunk, result: &mut Block| {
            let raw = raw.as_ref().unwrap_or(result);
            work.compute(chunk, raw, result)
        };
        self.stream(chunks, places?, &mut compute, &mut |chunk, result| {
            let mut place = Place::new(plan, chunk, out.reborrow());
            let bytes = chunk.outputs() * plan.out_dtype.size() as u64;
            context.read(result, 0..bytes, control, &mut |range, bytes| place.write(range, bytes))
        })
    }

    /// Computes chunks while the images of the next are uploaded and the result of the one before is drained.
    fn stream<B: Send>(
        &mut self,
        chunks: &[Chunk],
        outputs: Vec<B>,
        compute: &mut dyn FnMut(&mut Self, &Chunk, &mut B) -> Result<()>,
        drain: &mut (dyn FnMut(&Chunk, &mut B) -> Result<()> + Send),
    ) -> Result<()> {
        let (context, plan, control) = (self.context, self.plan, self.control);
        let image = if let Images::Host(view) = &self.source { Some(view.clone()) } else { None };
        // What is uploaded, and what of it each chunk reads: chunks of other kernels read the same.
        let mut loads: Vec<(&Chunk, [Axis; 3])> = vec![];
        let mut load_of = vec![];
        for chunk in chunks {
            let axes = axes(plan, chunk, self.whole);
            if loads.last().is_none_or(|(last, at)| last.images != chunk.images || *at != axes) {
                loads.push((chunk, axes));
            }
            load_of.push(loads.len() - 1);
        }
        let bytes = loads.iter().map(|(chunk, axes)| image_bytes(plan, chunk, axes)).max().unwrap_or(0);
        let inputs: Result<Vec<Option<Block>>> = (0..self.places.min(chunks.len()))
            .map(|place| match image {
                Some(_) if place < loads.len() => context.block(bytes).map(Some),
                _ => Ok(None),
            })
            .collect();
        let mut inputs = inputs?;
        if image.is_some() && loads.len() == 1 {
            // One upload serves all chunks.
            inputs.truncate(1);
            inputs.resize(outputs.len().max(1), None);
        }
        let stream = Stream { context, chunks: chunks.len(), input_of: &|chunk| load_of[chunk], inputs, outputs };
        stream.run(
            &mut |load, place| match (&image, place) {
                (Some(view), Some(block)) => upload(context, plan, view, (loads[load].0, &loads[load].1), block, control),
                _ => Ok(()),
            },
            &mut |index, place, output| {
                let (chunk, axes) = &loads[load_of[index]];
                if let Some(block) = place {
                    let there = Gathered { block: block.clone(), offset: 0 };
                    self.images = Some((chunk.images.clone(), axes.clone(), there));
                }
                compute(self, &chunks[index], output)
            },
            &mut |index, output| drain(&chunks[index], output),
        )
    }
}

/// Where a chunk's results go in the caller's memory: windows of equal length, one after the other.
struct Place<'a> {
    out: ViewMut<'a>,
    windows: Windows<'a>,
    /// Bytes of a window.
    length: u64,
    /// A window that came in pieces and whose memory is not contiguous.
    partial: Vec<u8>,
}

enum Windows<'a> {
    /// One window of contiguous memory, from this byte on.
    Contiguous(usize),
    /// The chunk's region of every output.
    Outputs { plan: &'a ConvolvePlan, chunk: &'a Chunk },
}

impl<'a> Place<'a> {
    fn new(plan: &'a ConvolvePlan, chunk: &'a Chunk, out: ViewMut<'a>) -> Self {
        let size = plan.out_dtype.size();
        let (kernels, all) = (plan.kernel_count(), plan.output.iter().product::<usize>());
        let whole = (0..3).all(|axis| chunk.region[axis] == (0..plan.output[axis]));
        let in_a_row = chunk.images.len() == 1 || chunk.kernels.len() == kernels;
        if whole && in_a_row && out.is_contiguous() {
            let start = (chunk.images.start * kernels + chunk.kernels.start) * all * size;
            let length = chunk.outputs() * size as u64;
            return Self { out, windows: Windows::Contiguous(start), length, partial: vec![] };
        }
        let length = (chunk.region.iter().map(Range::len).product::<usize>() * size) as u64;
        Self { out, windows: Windows::Outputs { plan, chunk }, length, partial: vec![] }
    }

    /// Takes the bytes `range` of the chunk; ranges ascend without gaps.
    fn write(&mut self, range: Range<u64>, bytes: &[u8]) {
        let (mut at, mut rest) = (range.start, bytes);
        while !rest.is_empty() {
            let (index, from) = ((at / self.length) as usize, at % self.length);
            let (piece, after) = rest.split_at(rest.len().min((self.length - from) as usize));
            self.write_piece(index, from as usize, piece);
            at += piece.len() as u64;
            rest = after;
        }
    }

    fn write_piece(&mut self, index: usize, from: usize, piece: &[u8]) {
        let Self { out, windows, length, partial } = self;
        let flags = out.dtype() == Dtype::Bool;
        let copy = |target: &mut [u8], start: usize| {
            let target = &mut target[start..start + piece.len()];
            target.copy_from_slice(piece);
            if flags {
                // A bool must be 0 or 1, whatever the device wrote.
                target.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
            }
        };
        let (plan, chunk) = match windows {
            Windows::Contiguous(start) => {
                if let Some(target) = out.as_bytes() {
                    copy(target, *start + from);
                }
                return;
            }
            Windows::Outputs { plan, chunk } => (plan, chunk),
        };
        let image = chunk.images.start + index / chunk.kernels.len();
        let kernel = chunk.kernels.start + index % chunk.kernels.len();
        let lead = plan.image_lead.len() + plan.kernel_lead.len();
        let mut window = out.reborrow().item(lead, image * plan.kernel_count() + kernel);
        for axis in 0..plan.rank {
            window = window.narrow(axis, chunk.region[axis + 3 - plan.rank].clone());
        }
        if let Some(target) = window.as_bytes() {
            return copy(target, from);
        }
        partial.resize(*length as usize, 0);
        copy(partial, from);
        if from + piece.len() == partial.len() {
            window.copy_from_bytes(partial);
        }
    }
}
