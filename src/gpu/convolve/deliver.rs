//! Results on their way out: as segments of device memory, or into the host's.

use std::ops::Range;

use super::Work;
use super::chunk::Chunk;
use crate::array::Storage;
use crate::engine::Target;
use crate::gpu::memory::{Block, GpuBuffer};
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
        for chunk in chunks {
            let (sum_bytes, result_bytes) = self.bytes(chunk);
            let fitting = reused.iter().position(|block| block.size() >= result_bytes && block.size() <= 2 * result_bytes + 4096);
            let result = match fitting {
                Some(at) => reused.swap_remove(at),
                None => self.context.block(result_bytes)?,
            };
            let raw = match (self.direct, sums.take()) {
                (true, _) => result.clone(),
                (false, Some(block)) if block.size() >= sum_bytes => block,
                (false, _) => self.context.block(sum_bytes)?,
            };
            self.compute(chunk, &raw, &result)?;
            sums = Some(raw).filter(|_| !self.direct);
            segments.push((result, chunk.outputs() * self.plan.out_dtype.size() as u64));
        }
        Ok(Storage::Gpu(GpuBuffer::new(self.context.clone(), segments)))
    }

    fn bring(&mut self, chunks: &[Chunk], out: &mut ViewMut<'_>) -> Result<()> {
        let most = |bytes: fn((u64, u64)) -> u64| chunks.iter().map(|chunk| bytes(self.bytes(chunk))).max().unwrap_or(4);
        let (sum_bytes, result_bytes) = (most(|bytes| bytes.0), most(|bytes| bytes.1));
        let result = self.context.block(result_bytes)?;
        let raw = if self.direct { result.clone() } else { self.context.block(sum_bytes)? };
        for chunk in chunks {
            self.compute(chunk, &raw, &result)?;
            let mut place = Place::new(self.plan, chunk, out.reborrow());
            let bytes = chunk.outputs() * self.plan.out_dtype.size() as u64;
            self.context.read(&result, 0..bytes, self.control, &mut |range, bytes| place.write(range, bytes))?;
        }
        Ok(())
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
