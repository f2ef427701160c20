//! Running shaders: submissions, waiting, and slices of long work.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::context::{Context, Limits, lock};
use super::memory::Block;
use super::pipeline::{Pipeline, Slot};
use crate::{Control, Result};

/// What a slot is bound to.
#[derive(Clone)]
pub(crate) enum Bind<'a> {
    /// All of a block.
    Block(&'a Block),
    /// Bytes of a block, from a multiple of [`Limits::offset_alignment`] on, in whole words.
    Part(&'a Block, Range<u64>),
    /// The bytes of a uniform struct.
    Uniform(&'a [u8]),
}

/// One dispatch.
pub(crate) struct Dispatch<'a> {
    /// The shader.
    pub(crate) pipeline: &'a Pipeline,
    /// What its slots are bound to.
    pub(crate) binds: &'a [Bind<'a>],
    /// Workgroups along each dimension; nothing runs if one is 0.
    pub(crate) groups: [u32; 3],
}

/// Work handed to the device, to be waited for.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    pub(super) index: wgpu::SubmissionIndex,
    at: Instant,
}

impl Submission {
    pub(super) fn new(index: wgpu::SubmissionIndex) -> Self {
        Self { index, at: Instant::now() }
    }
}

/// Units per second that each kind of work did last.
#[derive(Debug, Default)]
pub(super) struct Rates(Mutex<HashMap<String, f64>>);

/// `groups` workgroups folded into three dimensions within the device's limit. The product may exceed `groups`: the shader
/// computes `(w.z * n.y + w.y) * n.x + w.x` from `workgroup_id` and `num_workgroups` and tests it against the real count.
pub(crate) fn fold(groups: u64, limits: &Limits) -> [u32; 3] {
    let most = u64::from(limits.groups_per_dim.max(1));
    if groups <= most {
        return [groups as u32, 1, 1];
    }
    let y = groups.div_ceil(most);
    if y <= most {
        // Nearly equal rows waste the fewest groups.
        return [groups.div_ceil(y) as u32, y as u32, 1];
    }
    let z = y.div_ceil(most);
    [most as u32, y.div_ceil(z) as u32, z.min(most) as u32]
}

/// Bytes of a buffer for the uniforms of one submission.
const UNIFORMS: u64 = 16 << 10;

impl Context {
    /// Runs the dispatches in order, each after what it depends on, in one submission.
    pub(crate) fn submit(&self, dispatches: &[Dispatch<'_>]) -> Result<Submission> {
        let align = u64::from(self.limits.uniform_alignment.max(16));
        let mut uniforms: Vec<u8> = vec![];
        for dispatch in dispatches {
            self.check_dispatch(dispatch)?;
            for bind in dispatch.binds {
                if let Bind::Uniform(bytes) = bind {
                    uniforms.resize((uniforms.len() as u64).next_multiple_of(align) as usize, 0);
                    uniforms.extend_from_slice(bytes);
                }
            }
        }
        uniforms.resize(uniforms.len().next_multiple_of(16), 0);
        let buffer = match uniforms.is_empty() {
            true => None,
            false => Some(self.uniform_buffer((uniforms.len() as u64).max(UNIFORMS))?),
        };
        let submission = self.guarded("running a shader", |device, queue| {
            if let Some(buffer) = &buffer {
                // Ordered with the submissions before and after, as every use of the queue is.
                queue.write_buffer(buffer, 0, &uniforms);
            }
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: None });
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            let mut at = 0;
            for dispatch in dispatches {
                let resources = dispatch.binds.iter().filter_map(|bind| resource(bind, buffer.as_ref(), &mut at, align));
                let entries: Vec<_> =
                    (0..).zip(resources).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
                if dispatch.groups.contains(&0) {
                    continue;
                }
                let descriptor = wgpu::BindGroupDescriptor { label: None, layout: &dispatch.pipeline.layout, entries: &entries };
                let group = device.create_bind_group(&descriptor);
                pass.set_pipeline(&dispatch.pipeline.pipeline);
                pass.set_bind_group(0, &group, &[]);
                let [x, y, z] = dispatch.groups;
                pass.dispatch_workgroups(x, y, z);
            }
            drop(pass);
            Submission::new(self.submit_to(queue, Some(encoder.finish())))
        })?;
        if let Some(buffer) = buffer {
            self.pool.keep_uniforms(buffer);
        }
        let run = dispatches.iter().filter(|dispatch| !dispatch.groups.contains(&0)).count();
        self.tally.dispatches.fetch_add(run as u64, Ordering::Relaxed);
        Ok(submission)
    }

    fn check_dispatch(&self, dispatch: &Dispatch<'_>) -> Result<()> {
        let Dispatch { pipeline, binds, groups } = dispatch;
        let fits = |bind: &Bind<'_>, slot: Slot| match bind {
            Bind::Block(_) => slot != Slot::Uniform,
            Bind::Part(block, range) => {
                slot != Slot::Uniform
                    && range.start.is_multiple_of(u64::from(self.limits.offset_alignment))
                    && (range.end - range.start).is_multiple_of(4)
                    && range.start < range.end
                    && range.end <= block.size()
            }
            Bind::Uniform(bytes) => slot == Slot::Uniform && !bytes.is_empty(),
        };
        let bound =
            binds.len() == pipeline.slots.len() && binds.iter().zip(&pipeline.slots).all(|(bind, &slot)| fits(bind, slot));
        if !bound {
            return Err(self.failure(&format!("running shader {}", pipeline.label), "its bindings do not fit its slots"));
        }
        if groups.iter().any(|&n| n > self.limits.groups_per_dim) {
            let message = format!("{groups:?} workgroups exceed {} per dimension", self.limits.groups_per_dim);
            return Err(self.failure(&format!("running shader {}", pipeline.label), message));
        }
        Ok(())
    }

    /// Waits until the work is done. A cancellation does not shorten the wait: what was submitted runs to its end.
    pub(crate) fn wait(&self, submission: Submission, _control: &Control) -> Result<()> {
        self.wait_until("waiting for the device", Some(submission.index), || true)
    }

    /// Polls until the submission (or all of them) is done and `done` holds. Never longer than the device's patience.
    pub(super) fn wait_until(&self, stage: &str, index: Option<wgpu::SubmissionIndex>, done: impl Fn() -> bool) -> Result<()> {
        let start = Instant::now();
        loop {
            self.check_alive()?;
            let timeout = Some(Duration::from_millis(2));
            let polled = self.poll(wgpu::PollType::Wait { submission_index: index.clone(), timeout });
            self.check_alive()?;
            match polled {
                Ok(Ok(_)) if done() => return Ok(()),
                // Another thread's poll took the callbacks and is about to run them.
                Ok(Ok(_)) => std::thread::sleep(Duration::from_micros(20)),
                Ok(Err(wgpu::PollError::Timeout)) => {}
                // The device became invalid before the submission, which never ran.
                Ok(Err(error)) => {
                    let error = self.failure_or_loss(stage, error.to_string());
                    self.give_up(error.to_string());
                    return self.check_alive();
                }
                // The loss of a device is a panic of `poll`.
                Err(panic) => {
                    self.give_up(panic);
                    return self.check_alive();
                }
            }
            if start.elapsed().as_secs_f64() > self.tuning.patience {
                self.give_up(format!("no answer for {:.0} s in {stage}", self.tuning.patience));
            }
        }
    }

    /// Runs `total` units of work in slices of about [`Tuning::slice`](super::context::Tuning::slice) seconds: ranges that
    /// start at multiples of `grain`. Two slices are in flight at most. How many units a second takes is learned per `key`,
    /// from a small start. Reports `weight` units of progress per unit, and stops between slices when cancelled.
    pub(crate) fn sliced(
        &self,
        key: &str,
        total: u64,
        grain: u64,
        weight: u64,
        control: &Control,
        run: &mut dyn FnMut(Range<u64>) -> Result<Submission>,
    ) -> Result<()> {
        let grain = grain.max(1);
        let mut rate = lock(&self.rates.0).get(key).copied();
        let mut flight: VecDeque<(Submission, u64)> = VecDeque::new();
        let (mut at, mut last, mut free_since) = (0, 0, Instant::now());
        let mut failure = None;
        while at < total || !flight.is_empty() {
            let full = flight.len() >= if rate.is_some() { 2 } else { 1 };
            if at < total && !full && failure.is_none() {
                let wanted = match rate {
                    Some(rate) => (rate * self.tuning.slice) as u64,
                    None => u64::max(last, 1),
                };
                // Nearly equal slices: a short last one would leave the device idle.
                let slices = (total - at).div_ceil(wanted.max(grain));
                let units = (total - at).div_ceil(slices).next_multiple_of(grain).min(total - at);
                match control.check().and_then(|()| run(at..at + units)) {
                    Ok(submission) => flight.push_back((submission, units)),
                    Err(error) => failure = Some(error),
                }
                at = if failure.is_some() { total } else { at + units };
                continue;
            }
            let Some((submission, units)) = flight.pop_front() else { break };
            let began = submission.at.max(free_since);
            if let Err(error) = self.wait(submission, control) {
                return Err(failure.unwrap_or(error));
            }
            free_since = Instant::now();
            control.advance(units.saturating_mul(weight));
            let seconds = (free_since - began).as_secs_f64();
            // Too short a slice measures the launch: grow eightfold instead, from the largest so far.
            if seconds > self.tuning.slice / 10.0 {
                rate = Some(units as f64 / seconds);
            } else {
                last = last.max(units).saturating_mul(8);
                rate = rate.filter(|rate| rate * self.tuning.slice > last as f64);
            }
        }
        if let Some(rate) = rate {
            lock(&self.rates.0).insert(key.into(), rate);
        }
        failure.map_or(Ok(()), Err)
    }
}

/// What is bound; `at` walks through the submission's uniforms. `None` only for a uniform without a buffer.
fn resource<'a>(
    bind: &'a Bind<'_>,
    uniforms: Option<&'a wgpu::Buffer>,
    at: &mut u64,
    align: u64,
) -> Option<wgpu::BindingResource<'a>> {
    let part = |buffer, offset, size: u64| {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding { buffer, offset, size: wgpu::BufferSize::new(size) })
    };
    Some(match bind {
        Bind::Block(block) => block.buffer().as_entire_binding(),
        Bind::Part(block, range) => part(block.buffer(), range.start, range.end - range.start),
        Bind::Uniform(bytes) => {
            let offset = at.next_multiple_of(align);
            *at = offset + bytes.len() as u64;
            part(uniforms?, offset, (bytes.len() as u64).next_multiple_of(16))
        }
    })
}
