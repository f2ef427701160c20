//! Device memory: a pool of buffers, and results made of them.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::adapters::Budget;
use super::context::{Context, Tally, lock};
use super::transfer::Staging;
use crate::array::Storage;
use crate::view::ViewMut;
use crate::{Control, Dtype, Error, Result};

/// Every size class is a multiple of it, and so is every binding's length.
const QUANTUM: u64 = 256;

/// A storage buffer of a context. Clones share it; the last one gives it back to the pool.
#[derive(Clone)]
pub(crate) struct Block(Arc<Owned>);

struct Owned {
    buffer: ManuallyDrop<wgpu::Buffer>,
    held: ManuallyDrop<Held>,
    context: ManuallyDrop<Arc<Context>>,
}

/// Bytes of a device's memory, counted as long as it lives.
#[derive(Debug)]
pub(super) struct Held {
    bytes: u64,
    budget: Option<Arc<Budget>>,
    tally: Arc<Tally>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.tally.release(self.bytes);
        if let Some(budget) = &self.budget {
            budget.give(self.bytes);
        }
    }
}

impl Block {
    /// Bytes usable.
    pub(crate) fn size(&self) -> u64 {
        self.0.held.bytes
    }

    pub(super) fn buffer(&self) -> &wgpu::Buffer {
        &self.0.buffer
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Block({} bytes)", self.size())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if !self.context.is_ours() {
            // A forked child: the parent's driver and locks are in an unknown state here, so nothing is touched.
            return;
        }
        // SAFETY: the fields are taken once, here, and not used after.
        let (buffer, held) = unsafe { (ManuallyDrop::take(&mut self.buffer), ManuallyDrop::take(&mut self.held)) };
        // SAFETY: as above.
        let context = unsafe { ManuallyDrop::take(&mut self.context) };
        context.recycle(buffer, held);
    }
}

/// Buffers that nobody uses now.
#[derive(Debug, Default)]
pub(super) struct Pool {
    blocks: Mutex<Vec<(Held, wgpu::Buffer)>>,
    uniforms: Mutex<Vec<wgpu::Buffer>>,
    pub(super) up: Mutex<Vec<Staging>>,
    pub(super) down: Mutex<Vec<Staging>>,
}

impl Pool {
    pub(super) fn keep_uniforms(&self, buffer: wgpu::Buffer) {
        let mut kept = lock(&self.uniforms);
        if kept.len() < 16 {
            kept.push(buffer);
        }
    }
}

/// The smallest class that holds so many bytes: eight per power of two.
fn size_class(bytes: u64) -> u64 {
    let step = (bytes.max(QUANTUM).next_power_of_two() / 16).max(QUANTUM);
    bytes.max(QUANTUM).next_multiple_of(step)
}

impl Context {
    /// Bytes of the largest block: it fits a buffer and a binding.
    pub(crate) fn max_block(&self) -> u64 {
        let most = self.limits.max_buffer.min(self.limits.max_binding);
        most - most % QUANTUM
    }

    /// A block of at least so many bytes, with any content.
    pub(crate) fn block(self: &Arc<Self>, bytes: u64) -> Result<Block> {
        if bytes > self.max_block() {
            let message = format!("{bytes} bytes exceed the largest buffer, {} bytes", self.max_block());
            return Err(self.failure("allocating memory", message));
        }
        let class = size_class(bytes).min(self.max_block());
        let kept = {
            let mut blocks = lock(&self.pool.blocks);
            blocks.iter().rposition(|(held, _)| held.bytes == class).map(|at| blocks.remove(at))
        };
        let (held, buffer) = match kept {
            Some(kept) => {
                self.check_alive()?;
                kept
            }
            None => self.allocate(class)?,
        };
        let (buffer, held) = (ManuallyDrop::new(buffer), ManuallyDrop::new(held));
        Ok(Block(Arc::new(Owned { buffer, held, context: ManuallyDrop::new(self.clone()) })))
    }

    /// A new buffer; before it fails, everything unused is given back.
    fn allocate(&self, bytes: u64) -> Result<(Held, wgpu::Buffer)> {
        self.make_room(bytes);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        match self.try_allocate(bytes, usage) {
            Err(Error::OutOfMemory { .. }) => {
                self.trim();
                self.try_allocate(bytes, usage)
            }
            other => other,
        }
    }

    fn try_allocate(&self, bytes: u64, usage: wgpu::BufferUsages) -> Result<(Held, wgpu::Buffer)> {
        if !self.budget.take(bytes) {
            return Err(self.out_of_memory(bytes));
        }
        self.tally.hold(bytes);
        let held = Held { bytes, budget: Some(self.budget.clone()), tally: self.tally.clone() };
        let descriptor = wgpu::BufferDescriptor { label: None, size: bytes, usage, mapped_at_creation: false };
        Ok((held, self.guarded_bytes("allocating memory", bytes, |device, _| device.create_buffer(&descriptor))?))
    }

    /// Counts so many bytes as held.
    pub(super) fn hold(&self, bytes: u64) -> Held {
        self.tally.hold(bytes);
        Held { bytes, budget: None, tally: self.tally.clone() }
    }

    /// Frees unused buffers, the oldest first, while a new one would exceed the limit in force.
    pub(super) fn make_room(&self, bytes: u64) {
        let Some(ceiling) = self.ceiling() else { return };
        let over = || self.tally.held() + bytes > ceiling;
        if !over() {
            return;
        }
        let staging = self.staging_size();
        for kept in [&self.pool.up, &self.pool.down] {
            lock(kept).retain(|kept| kept.size() <= staging);
        }
        while over() && !lock(&self.pool.blocks).is_empty() {
            let oldest = lock(&self.pool.blocks).drain(..1).next();
            drop(oldest);
        }
        // Memory is given back in a poll only.
        let _ = self.wait_until("freeing memory", None, || true);
    }

    /// Frees every unused buffer, once the work that used it is done.
    pub(super) fn trim(&self) {
        let blocks = std::mem::take(&mut *lock(&self.pool.blocks));
        lock(&self.pool.up).clear();
        lock(&self.pool.down).clear();
        drop(blocks);
        // Memory is given back in a poll only.
        let _ = self.wait_until("freeing memory", None, || true);
    }

    /// Keeps a buffer for the next block of its size; frees the oldest ones beyond what the pool may keep.
    fn recycle(&self, buffer: wgpu::Buffer, held: Held) {
        let most = if self.is_lost() { 0 } else { self.tuning.pool };
        let surplus: Vec<_> = {
            let mut blocks = lock(&self.pool.blocks);
            blocks.push((held, buffer));
            let mut kept: u64 = blocks.iter().map(|(held, _)| held.bytes).sum();
            let surplus = blocks.iter().take_while(|(held, _)| {
                let over = kept > most;
                kept -= if over { held.bytes } else { 0 };
                over
            });
            let surplus = surplus.count();
            blocks.drain(..surplus).collect()
        };
        if !surplus.is_empty() {
            drop(surplus);
            // Memory is given back in a poll only.
            let _ = self.poll(wgpu::PollType::Poll);
        }
    }

    /// The number of unused buffers.
    #[cfg(test)]
    pub(super) fn pooled(&self) -> usize {
        lock(&self.pool.blocks).len()
    }

    pub(super) fn uniform_buffer(&self, bytes: u64) -> Result<wgpu::Buffer> {
        let kept = {
            let mut kept = lock(&self.pool.uniforms);
            kept.iter().position(|buffer| buffer.size() >= bytes).map(|at| kept.swap_remove(at))
        };
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let descriptor = wgpu::BufferDescriptor { label: None, size: bytes, usage, mapped_at_creation: false };
        match kept {
            Some(buffer) => Ok(buffer),
            None => self.guarded_bytes("allocating memory", bytes, |device, _| device.create_buffer(&descriptor)),
        }
    }

    /// Sets the first `bytes` (rounded up to whole words) to 0, before later dispatches.
    pub(crate) fn clear(&self, block: &Block, bytes: u64) -> Result<()> {
        let bytes = bytes.next_multiple_of(4).min(block.size());
        if bytes == 0 {
            return Ok(());
        }
        self.guarded("clearing memory", |device, queue| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None });
            encoder.clear_buffer(block.buffer(), 0, Some(bytes));
            self.submit_to(queue, Some(encoder.finish()));
        })
    }

    /// Copies bytes between blocks, in whole words.
    pub(crate) fn copy(&self, from: &Block, range: Range<u64>, to: &Block, offset: u64) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        self.guarded("copying memory", |device, queue| {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None });
            encoder.copy_buffer_to_buffer(from.buffer(), range.start, to.buffer(), offset, range.end - range.start);
            self.submit_to(queue, Some(encoder.finish()));
        })
    }
}

/// Memory of a GPU that holds an array: segments end to end. Clones share it.
#[derive(Clone, Debug)]
pub struct GpuBuffer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    context: Arc<Context>,
    segments: Vec<Segment>,
    bytes: u64,
}

/// A piece of an array's memory.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    /// Where it is.
    pub(crate) block: Block,
    /// Its bytes; the block may be longer.
    pub(crate) bytes: u64,
}

/// A range of an array's bytes inside one block.
#[derive(Debug, Clone)]
pub(crate) struct Gathered {
    /// The block.
    pub(crate) block: Block,
    /// Where in the block the range starts.
    pub(crate) offset: u64,
}

impl GpuBuffer {
    /// An array's memory from its pieces and their lengths in bytes.
    pub(crate) fn new(context: Arc<Context>, segments: Vec<(Block, u64)>) -> Self {
        let segments: Vec<_> = segments.into_iter().map(|(block, bytes)| Segment { block, bytes }).collect();
        let bytes = segments.iter().map(|segment| segment.bytes).sum();
        Self(Arc::new(Inner { context, segments, bytes }))
    }

    /// Whether the memory is that of `context`.
    pub(crate) fn belongs_to(&self, context: &Arc<Context>) -> bool {
        Arc::ptr_eq(&self.0.context, context)
    }

    /// The pieces.
    pub(crate) fn segments(&self) -> &[Segment] {
        &self.0.segments
    }

    /// Bytes of the array.
    pub(crate) fn bytes(&self) -> u64 {
        self.0.bytes
    }

    /// Copies the elements to the host.
    pub(crate) fn download(&self, mut out: ViewMut<'_>) -> Result<()> {
        let bytes = (out.len() * out.dtype().size()) as u64;
        if bytes != self.bytes() {
            return Err(self.0.context.failure("reading an array", format!("it has {} bytes, not {bytes}", self.bytes())));
        }
        let flags = out.dtype() == Dtype::Bool;
        if let Some(target) = out.as_bytes() {
            return self.download_bytes(target, flags);
        }
        let mut packed = vec![0; bytes as usize];
        self.download_bytes(&mut packed, flags)?;
        out.copy_from_bytes(&packed);
        Ok(())
    }

    fn download_bytes(&self, out: &mut [u8], flags: bool) -> Result<()> {
        let mut rest = &mut *out;
        for Segment { block, bytes } in self.segments() {
            let (target, after) = rest.split_at_mut(*bytes as usize);
            self.0.context.read_large(block, target)?;
            rest = after;
        }
        if flags {
            // A bool must be 0 or 1, whatever the device wrote.
            out.iter_mut().for_each(|byte| *byte = u8::from(*byte != 0));
        }
        Ok(())
    }

    /// The blocks of a storage that nobody else holds, to write a result into; none if it is of another context.
    pub(crate) fn reuse(storage: Option<Storage>, context: &Arc<Context>) -> Vec<Block> {
        let Some(Storage::Gpu(buffer)) = storage else { return vec![] };
        match Arc::try_unwrap(buffer.0) {
            Ok(inner) if Arc::ptr_eq(&inner.context, context) => {
                let blocks = inner.segments.into_iter().map(|segment| segment.block);
                blocks.filter(|block| Arc::strong_count(&block.0) == 1).collect()
            }
            _ => vec![],
        }
    }

    /// Bytes `range` of the array where they are, if one segment holds them.
    pub(crate) fn locate(&self, range: &Range<u64>) -> Option<Gathered> {
        let mut starts = 0;
        for Segment { block, bytes } in self.segments() {
            if range.start >= starts && range.end <= starts + bytes && range.start < range.end {
                return Some(Gathered { block: block.clone(), offset: range.start - starts });
            }
            starts += bytes;
        }
        None
    }

    /// The segments that hold bytes `range` of the array, and which bytes of each.
    fn parts(&self, range: &Range<u64>) -> Result<Vec<(&Segment, Range<u64>)>> {
        let mut starts = 0;
        let mut parts = vec![];
        for segment in self.segments() {
            let (start, end) = (range.start.max(starts), range.end.min(starts + segment.bytes));
            if start < end {
                parts.push((segment, start - starts..end - starts));
            }
            starts += segment.bytes;
        }
        if range.end > starts {
            let message = format!("bytes {range:?} of {starts} were asked for");
            return Err(self.0.context.failure("reading an array", message));
        }
        Ok(parts)
    }

    /// Copies ranges of the array's bytes, end to end, into a block (or the other way, if `back`), on the device: all of them in
    /// whole words, but for the end of the last one.
    pub(crate) fn copy_rows(&self, rows: impl Iterator<Item = Range<u64>>, block: &Block, back: bool) -> Result<()> {
        let mut at = 0;
        for row in rows {
            for (segment, part) in self.parts(&row)? {
                let len = (part.end - part.start).next_multiple_of(4);
                match back {
                    true => self.0.context.copy(block, at..at + len, &segment.block, part.start)?,
                    false => self.0.context.copy(&segment.block, part.start..part.start + len, block, at)?,
                }
                at += len;
            }
        }
        Ok(())
    }

    /// Bytes `range` of the array in one block: where they are, if one segment holds them at an offset that a binding may
    /// have, else a copy on the device. If the range starts inside a word, so does the copy.
    pub(crate) fn gather(&self, range: Range<u64>) -> Result<Gathered> {
        let context = &self.0.context;
        let parts = self.parts(&range)?;
        match &parts[..] {
            [] => return Ok(Gathered { block: context.block(0)?, offset: 0 }),
            [(segment, part)] if part.start.is_multiple_of(u64::from(context.limits.offset_alignment)) => {
                return Ok(Gathered { block: segment.block.clone(), offset: part.start });
            }
            _ => {}
        }
        let offset = parts[0].1.start % 4;
        let block = context.block((offset + range.end - range.start).next_multiple_of(4))?;
        let last = parts.len() - 1;
        // Copies move whole words: every boundary between parts must lie at one.
        let words =
            |i: usize, part: &Range<u64>| (i == 0 || part.start.is_multiple_of(4)) && (i == last || part.end.is_multiple_of(4));
        if parts.iter().enumerate().all(|(i, (_, part))| words(i, part)) {
            let mut at = 0;
            for (segment, part) in &parts {
                let whole = part.start - part.start % 4..part.end.next_multiple_of(4);
                context.copy(&segment.block, whole.clone(), &block, at)?;
                at += whole.end - whole.start;
            }
            return Ok(Gathered { block, offset });
        }
        let mut host = vec![0; (range.end - range.start) as usize];
        let mut rest = &mut host[..];
        for (segment, part) in &parts {
            let (target, after) = rest.split_at_mut((part.end - part.start) as usize);
            context.read_bytes(&segment.block, part.start, target)?;
            rest = after;
        }
        let bytes = host.len() as u64;
        context.upload(&block, bytes, &Control::new(), &mut |piece, out| {
            out.copy_from_slice(&host[piece.start as usize..piece.end as usize]);
        })?;
        Ok(Gathered { block, offset: 0 })
    }
}
