//! Moving bytes: rings of reused staging buffers, filled and drained by the host while the device copies.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use super::context::{Context, lock};
use super::memory::{Block, GpuBuffer, Held};
use crate::view::View;
use crate::{Control, Result};

const PENDING: u8 = 0;
const MAPPED: u8 = 1;
const FAILED: u8 = 2;

/// A buffer that the host can map, and how far the mapping is.
#[derive(Debug)]
pub(super) struct Staging {
    buffer: wgpu::Buffer,
    state: Arc<AtomicU8>,
    /// The submission that has to be done before the mapping.
    after: Option<wgpu::SubmissionIndex>,
    _held: Held,
}

/// Bytes that are worth a thread more.
const PER_THREAD: u64 = 32 << 20;
/// Under a limit a staging buffer is this part of it: both rings together take an eighth. Never less than a page.
const STAGING_PART: u64 = 32;
const LEAST_STAGING: u64 = 4 << 10;
const LIMITED_RING: usize = 2;

impl Staging {
    pub(super) fn size(&self) -> u64 {
        self.buffer.size()
    }

    /// Starts to map the first `bytes`, once the work submitted before is done.
    fn map(&mut self, mode: wgpu::MapMode, bytes: u64, after: wgpu::SubmissionIndex) {
        self.after = Some(after);
        self.state.store(PENDING, Ordering::Release);
        let state = self.state.clone();
        self.buffer.map_async(mode, 0..bytes, move |result| {
            state.store(if result.is_ok() { MAPPED } else { FAILED }, Ordering::Release);
        });
    }
}

impl Context {
    /// Bytes of a staging buffer under a limit.
    fn staging_under(&self, limit: u64) -> u64 {
        self.tuning.staging.min(1 << (limit / STAGING_PART).max(LEAST_STAGING).ilog2())
    }

    /// Bytes of a staging buffer now.
    pub(super) fn staging_size(&self) -> u64 {
        self.staging_under(self.ceiling().unwrap_or(u64::MAX))
    }

    /// Staging buffers of one transfer now.
    fn ring(&self) -> usize {
        if self.ceiling().is_some() { self.tuning.ring.min(LIMITED_RING) } else { self.tuning.ring }
    }

    /// Bytes that an upload beside a download holds in staging buffers under a limit.
    pub(super) fn staging_bytes(&self, limit: u64) -> u64 {
        2 * LIMITED_RING as u64 * self.staging_under(limit)
    }

    /// A staging buffer for uploads: mapped, or about to be.
    fn upload_staging(&self) -> Result<Staging> {
        let usage = wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC;
        self.staging(&self.pool.up, self.staging_size(), usage, true)
    }

    /// A staging buffer for a download of so many bytes, not mapped. Results outlive the limit of the work that made them, so that
    /// what fetches a small one is small.
    fn download_staging(&self, bytes: u64) -> Result<Staging> {
        let size = self.staging_size().min(bytes.next_power_of_two().max(LEAST_STAGING));
        self.staging(&self.pool.down, size, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST, false)
    }

    fn staging(&self, kept: &Mutex<Vec<Staging>>, size: u64, usage: wgpu::BufferUsages, mapped: bool) -> Result<Staging> {
        {
            let mut kept = lock(kept);
            // The smallest that will do; of several, the last one.
            let will_do = |staging: &Staging| (size..=self.staging_size()).contains(&staging.size());
            let found = kept.iter().enumerate().rev().filter(|(_, staging)| will_do(staging));
            if let Some((at, _)) = found.min_by_key(|(_, staging)| staging.size()) {
                return Ok(kept.remove(at));
            }
        }
        self.make_room(size);
        let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: mapped };
        let held = self.hold(size);
        let buffer = self.guarded_bytes("allocating memory", size, |device, _| device.create_buffer(&descriptor))?;
        let state = Arc::new(AtomicU8::new(if mapped { MAPPED } else { PENDING }));
        Ok(Staging { buffer, state, after: None, _held: held })
    }

    fn wait_mapped(&self, stage: &str, staging: &Staging) -> Result<()> {
        if staging.state.load(Ordering::Acquire) == PENDING {
            self.wait_until(stage, staging.after.clone(), || staging.state.load(Ordering::Acquire) != PENDING)?;
        }
        match staging.state.load(Ordering::Acquire) {
            MAPPED => Ok(()),
            _ => Err(self.failure_or_loss(stage, "a staging buffer could not be mapped")),
        }
    }

    /// Fills the first `bytes` of a block from the host. `fill` gets the pieces in ascending order, each with its range and
    /// the memory to write; ranges start at multiples of 4. The last word is padded with zeros.
    pub(crate) fn upload(
        &self,
        to: &Block,
        bytes: u64,
        control: &Control,
        fill: &mut dyn FnMut(Range<u64>, &mut [u8]),
    ) -> Result<()> {
        self.upload_range(to, 0..bytes, control, fill)
    }

    /// [`upload`](Self::upload) to a range that starts at a multiple of 4.
    pub(super) fn upload_range(
        &self,
        to: &Block,
        range: Range<u64>,
        control: &Control,
        fill: &mut dyn FnMut(Range<u64>, &mut [u8]),
    ) -> Result<()> {
        const STAGE: &str = "moving data to the device";
        if range.end.next_multiple_of(4) > to.size() || !range.start.is_multiple_of(4) {
            return Err(self.failure(STAGE, format!("bytes {range:?} do not fit a block of {} bytes", to.size())));
        }
        if range.is_empty() {
            return self.check_alive();
        }
        let bytes = range.end - range.start;
        self.tally.uploaded.fetch_add(bytes, Ordering::Relaxed);
        if bytes <= self.tuning.small {
            let mut scratch = vec![0; bytes.next_multiple_of(4) as usize];
            fill(range.clone(), &mut scratch[..bytes as usize]);
            return self.guarded(STAGE, |_, queue| {
                queue.write_buffer(to.buffer(), range.start, &scratch);
                // What is written is sent with the next submission; an empty one sends it now.
                self.submit_to(queue, None);
            });
        }
        let mut ring: VecDeque<Staging> = VecDeque::new();
        let mut at = range.start;
        while at < range.end {
            control.check()?;
            let mut staging = match ring.len() < self.ring() {
                true => self.upload_staging()?,
                false => match ring.pop_front() {
                    Some(staging) => staging,
                    None => self.upload_staging()?,
                },
            };
            self.wait_mapped(STAGE, &staging)?;
            let end = range.end.min(at + staging.size());
            let words = (end - at).next_multiple_of(4);
            let view = self.guarded(STAGE, |_, _| staging.buffer.get_mapped_range_mut(0..words))?;
            let mut view = view.map_err(|error| self.failure_or_loss(STAGE, error.to_string()))?;
            {
                let mut target = view.slice(..);
                // SAFETY: the mapped memory is `words` bytes long, ours alone until the view is dropped, and plain bytes.
                let target = unsafe { std::slice::from_raw_parts_mut(target.as_raw_element_ptr().as_ptr(), words as usize) };
                let (piece, pad) = target.split_at_mut((end - at) as usize);
                fill(at..end, piece);
                pad.fill(0);
            }
            self.guarded(STAGE, |device, queue| {
                drop(view);
                staging.buffer.unmap();
                let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None });
                encoder.copy_buffer_to_buffer(&staging.buffer, 0, to.buffer(), at, words);
                let index = self.submit_to(queue, Some(encoder.finish()));
                let size = staging.size();
                staging.map(wgpu::MapMode::Write, size, index);
            })?;
            ring.push_back(staging);
            at = end;
        }
        let mut kept = lock(&self.pool.up);
        ring.truncate(self.kept_staging().saturating_sub(kept.len()));
        // The longest mapped is taken first.
        kept.splice(0..0, ring.into_iter().rev());
        Ok(())
    }

    /// Staging buffers that the context keeps per direction.
    fn kept_staging(&self) -> usize {
        self.tuning.ring * self.tuning.threads.max(2)
    }

    /// [`upload`](Self::upload) by several threads where the bytes are worth it: one core alone fills a staging buffer more
    /// slowly than a GPU fetches it. The pieces come in no particular order.
    pub(crate) fn upload_large(
        &self,
        to: &Block,
        bytes: u64,
        control: &Control,
        fill: &(dyn Fn(Range<u64>, &mut [u8]) + Sync),
    ) -> Result<()> {
        let mut cuts = self.cut(bytes).into_iter();
        let first = cuts.next().unwrap_or(0..0);
        let part = |range| self.upload_range(to, range, control, &mut |range, out| fill(range, out));
        std::thread::scope(|scope| {
            let helpers: Vec<_> = cuts.map(|range| scope.spawn(move || part(range))).collect();
            let own = part(first);
            helpers.into_iter().fold(own, |result, helper| result.and(self.joined(helper)))
        })
    }

    /// Reads a block from its start into `out`, by several threads where the bytes are worth it.
    pub(super) fn read_large(&self, from: &Block, out: &mut [u8]) -> Result<()> {
        let mut cuts = self.cut(out.len() as u64).into_iter();
        let first = cuts.next().unwrap_or(0..0);
        let (own, mut rest) = out.split_at_mut(first.end as usize);
        std::thread::scope(|scope| {
            let mut helpers = vec![];
            for range in cuts {
                let (target, after) = rest.split_at_mut((range.end - range.start) as usize);
                rest = after;
                helpers.push(scope.spawn(move || self.read_bytes(from, range.start, target)));
            }
            let own = self.read_bytes(from, 0, own);
            helpers.into_iter().fold(own, |result, helper| result.and(self.joined(helper)))
        })
    }

    /// `0..bytes` in nearly equal parts, one per thread, at multiples of a staging buffer.
    fn cut(&self, bytes: u64) -> Vec<Range<u64>> {
        let most = if self.ceiling().is_some() { 1 } else { self.tuning.threads.max(1) as u64 };
        let threads = (bytes / PER_THREAD).clamp(1, most);
        let step = bytes.div_ceil(threads).next_multiple_of(self.tuning.staging);
        (0..threads).map(|i| (i * step).min(bytes)..((i + 1) * step).min(bytes)).filter(|range| !range.is_empty()).collect()
    }

    fn joined(&self, helper: std::thread::ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
        helper.join().unwrap_or_else(|_| Err(self.failure("moving data", "a thread panicked")))
    }

    /// An array on this device with the elements of `view`.
    pub(super) fn upload_view(self: &Arc<Self>, view: &View<'_>, control: &Control) -> Result<GpuBuffer> {
        let size = view.dtype().size() as u64;
        let bytes = view.len() as u64 * size;
        let (most, mut segments, mut start) = (self.max_block(), vec![], 0);
        let view = view.collapsed();
        while start < bytes {
            let part = (bytes - start).min(most);
            let block = self.block(part)?;
            self.upload_large(&block, part, control, &|range, out| {
                copy_elements(&view, (start + range.start) / size..(start + range.end) / size, out);
            })?;
            segments.push((block, part));
            start += part;
        }
        Ok(GpuBuffer::new(self.clone(), segments))
    }

    /// Brings the elements of `view` to the start of a block.
    pub(super) fn upload_array(&self, view: &View<'_>, to: &Block, control: &Control) -> Result<()> {
        let (size, view) = (view.dtype().size() as u64, view.collapsed());
        self.upload_large(to, view.len() as u64 * size, control, &|range, out| {
            copy_elements(&view, range.start / size..range.end / size, out);
        })
    }

    /// Reads bytes of a block. `sink` gets the pieces in ascending order, each with its range; the next one is on its way
    /// meanwhile.
    pub(crate) fn read(
        &self,
        from: &Block,
        range: Range<u64>,
        control: &Control,
        sink: &mut dyn FnMut(Range<u64>, &[u8]),
    ) -> Result<()> {
        const STAGE: &str = "moving data from the device";
        if range.end > from.size() {
            return Err(self.failure(STAGE, format!("bytes {range:?} of a block of {} bytes were asked for", from.size())));
        }
        let mut flight: VecDeque<(Staging, Range<u64>)> = VecDeque::new();
        let mut next = range.start - range.start % 4;
        while next < range.end || !flight.is_empty() {
            if next < range.end && flight.len() < self.ring() {
                control.check()?;
                let mut staging = self.download_staging(range.end - range.start)?;
                let piece = next..range.end.next_multiple_of(4).min(next + staging.size());
                self.guarded(STAGE, |device, queue| {
                    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None });
                    encoder.copy_buffer_to_buffer(from.buffer(), piece.start, &staging.buffer, 0, piece.end - piece.start);
                    let index = self.submit_to(queue, Some(encoder.finish()));
                    staging.map(wgpu::MapMode::Read, piece.end - piece.start, index);
                })?;
                next = piece.end;
                flight.push_back((staging, piece));
                continue;
            }
            let Some((staging, piece)) = flight.pop_front() else { break };
            self.wait_mapped(STAGE, &staging)?;
            let view = self.guarded(STAGE, |_, _| staging.buffer.get_mapped_range(0..piece.end - piece.start))?;
            let view = view.map_err(|error| self.failure_or_loss(STAGE, error.to_string()))?;
            let wanted = piece.start.max(range.start)..piece.end.min(range.end);
            let bytes = &view[(wanted.start - piece.start) as usize..(wanted.end - piece.start) as usize];
            self.tally.downloaded.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            sink(wanted, bytes);
            self.guarded(STAGE, |_, _| {
                drop(view);
                staging.buffer.unmap();
            })?;
            let mut kept = lock(&self.pool.down);
            if kept.len() < self.kept_staging() {
                kept.push(staging);
            } else if let Some(smaller) =
                kept.iter_mut().min_by_key(|kept| kept.size()).filter(|kept| kept.size() < staging.size())
            {
                *smaller = staging;
            }
        }
        self.check_alive()
    }

    /// The first `bytes` of a block: partials, flags, counters.
    pub(crate) fn read_small(&self, from: &Block, bytes: u64) -> Result<Vec<u8>> {
        let mut out = vec![0; bytes as usize];
        self.read_bytes(from, 0, &mut out)?;
        Ok(out)
    }

    /// Bytes of a block from `offset` on.
    pub(super) fn read_bytes(&self, from: &Block, offset: u64, out: &mut [u8]) -> Result<()> {
        self.read(from, offset..offset + out.len() as u64, &Control::new(), &mut |range, bytes| {
            out[(range.start - offset) as usize..(range.end - offset) as usize].copy_from_slice(bytes);
        })
    }
}

/// Copies elements `range`, in C order, of a view of any strides.
pub(super) fn copy_elements(view: &View<'_>, range: Range<u64>, out: &mut [u8]) {
    let size = view.dtype().size();
    let (mut at, end) = (range.start as usize, range.end as usize);
    if let Some(bytes) = view.as_bytes() {
        return out.copy_from_slice(&bytes[at * size..end * size]);
    }
    let (lead, row) = (view.rank() - 1, view.shape()[view.rank() - 1]);
    let mut out = out;
    while at < end {
        let (index, from) = (at / row, at % row);
        let count = (row - from).min(end - at);
        let (target, rest) = out.split_at_mut(count * size);
        view.clone().item(lead, index).narrow(0, from..from + count).copy_to_bytes(target);
        out = rest;
        at += count;
    }
}
