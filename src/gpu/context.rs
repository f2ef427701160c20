//! One logical device, and the wall around every call into wgpu.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::Duration;

use super::adapters::{Adapter, Budget};
use super::dispatch::Rates;
use super::memory::Pool;
use super::pipeline::Pipelines;
use crate::engine::Counters;
use crate::{Error, Result};

/// A logical device. Several threads may use one at the same time.
pub(crate) struct Context {
    /// `gpu:0 (NAME)`, for messages.
    pub(crate) id: String,
    pub(crate) limits: Limits,
    pub(crate) caps: Caps,
    pub(super) tuning: Tuning,
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    pub(super) pool: Pool,
    pub(super) budget: Arc<Budget>,
    pub(super) pipelines: Pipelines,
    pub(super) rates: Rates,
    ceilings: Ceilings,
    turns: Turns,
    pub(super) tally: Arc<Tally>,
    lost: Arc<Lost>,
    process: u32,
}

/// What the device allows. Bytes unless said otherwise.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) max_buffer: u64,
    pub(crate) max_binding: u64,
    /// Offsets of [`Bind::Part`](super::dispatch::Bind::Part) are multiples of it.
    pub(crate) offset_alignment: u32,
    pub(crate) uniform_alignment: u32,
    pub(crate) workgroup_memory: u32,
    /// Invocations per workgroup.
    pub(crate) invocations: u32,
    /// Invocations per workgroup along each dimension.
    pub(crate) workgroup: [u32; 3],
    /// Workgroups per dimension.
    pub(crate) groups_per_dim: u32,
    /// Storage buffers per shader.
    pub(crate) storage_buffers: u32,
}

impl Limits {
    pub(super) fn of(limits: &wgpu::Limits) -> Self {
        Self {
            max_buffer: limits.max_buffer_size,
            max_binding: limits.max_storage_buffer_binding_size,
            offset_alignment: limits.min_storage_buffer_offset_alignment,
            uniform_alignment: limits.min_uniform_buffer_offset_alignment,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            invocations: limits.max_compute_invocations_per_workgroup,
            workgroup: [
                limits.max_compute_workgroup_size_x,
                limits.max_compute_workgroup_size_y,
                limits.max_compute_workgroup_size_z,
            ],
            groups_per_dim: limits.max_compute_workgroups_per_dimension,
            storage_buffers: limits.max_storage_buffers_per_shader_stage,
        }
    }
}

/// What the device can do, by its features and by its self-test.
#[derive(Debug, Clone, Copy, Default)]
#[allow(dead_code, reason = "what a device does is recorded whether or not a shader chooses by it yet")]
pub(crate) struct Caps {
    pub(crate) f64: bool,
    pub(crate) int64: bool,
    pub(crate) subgroups: bool,
    /// A program on the CPU, not a GPU.
    pub(crate) software: bool,
    /// f32 denormals are kept.
    pub(crate) denormals: bool,
    /// A multiplication and an addition may become one `fma`.
    pub(crate) contracts: bool,
    /// `fma(x, y, z)` rounds once.
    pub(crate) fma: bool,
}

/// Sizes that trade memory for speed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuning {
    /// Bytes of a staging buffer.
    pub(crate) staging: u64,
    /// Staging buffers in use by one transfer.
    pub(crate) ring: usize,
    /// Transfers up to this many bytes go through `write_buffer`.
    pub(crate) small: u64,
    /// Threads that fill or drain the staging buffers of a large transfer of contiguous memory.
    pub(crate) threads: usize,
    /// Bytes of unused buffers that the pool keeps.
    pub(crate) pool: u64,
    /// Seconds that a slice of a long dispatch should take.
    pub(crate) slice: f64,
    /// Seconds without an answer after which the device counts as lost.
    pub(crate) patience: f64,
}

/// Counts of what the device did, shared by the contexts that one engine opens one after the other.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(super) operations: AtomicU64,
    pub(super) work: AtomicU64,
    pub(super) dispatches: AtomicU64,
    pub(super) uploaded: AtomicU64,
    pub(super) downloaded: AtomicU64,
    held: AtomicU64,
    peak: AtomicU64,
}

impl Tally {
    pub(super) fn read(&self) -> Counters {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counters {
            operations: get(&self.operations),
            work: get(&self.work),
            dispatches: get(&self.dispatches),
            uploaded: get(&self.uploaded),
            downloaded: get(&self.downloaded),
            peak: get(&self.peak),
        }
    }

    /// Counts so many bytes as held.
    pub(super) fn hold(&self, bytes: u64) {
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(held, Ordering::Relaxed);
    }

    pub(super) fn release(&self, bytes: u64) {
        self.held.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// The most bytes held from now on.
    #[cfg(test)]
    pub(super) fn forget_peak(&self) {
        self.peak.store(self.held(), Ordering::Relaxed);
    }

    /// Bytes held now.
    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }
}

/// What the work in progress may hold: the limits of all of it. The least one counts.
#[derive(Debug, Default)]
pub(super) struct Ceilings(Mutex<Vec<u64>>);

/// A limit in force until it is dropped.
#[derive(Debug)]
pub(super) struct Ceiling<'a> {
    context: &'a Context,
    bytes: u64,
}

impl Drop for Ceiling<'_> {
    fn drop(&mut self) {
        let mut all = lock(&self.context.ceilings.0);
        if let Some(at) = all.iter().position(|&bytes| bytes == self.bytes) {
            all.swap_remove(at);
        }
    }
}

/// Whether, and why, the device is gone.
#[derive(Debug, Default)]
struct Lost {
    flag: AtomicBool,
    reason: OnceLock<String>,
}

impl Lost {
    fn set(&self, reason: String) {
        let _ = self.reason.set(reason);
        self.flag.store(true, Ordering::Release);
    }
}

/// The right to submit or to poll, one thread at a time: wgpu 30 reads the fence and collects finished submissions in two
/// steps, and panics ("If the queue is empty, the current submission index …") if another thread does the same in between.
#[derive(Debug, Default)]
struct Turns {
    turn: Mutex<()>,
    waiting: AtomicUsize,
}

thread_local! {
    /// Whether this thread is inside the wall, where a panic becomes an error and prints nothing.
    static WALLED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`; a panic becomes its message, and the panic hook stays silent.
pub(super) fn wall<T>(f: impl FnOnce() -> T) -> std::result::Result<T, String> {
    static HOOK: Once = Once::new();
    if !std::thread::panicking() {
        HOOK.call_once(|| {
            let previous = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |info| {
                if !WALLED.get() {
                    previous(info);
                }
            }));
        });
    }
    let outer = WALLED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(f));
    WALLED.set(outer);
    result.map_err(|payload| message(&*payload))
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str).or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").trim().to_string()
}

/// The lock, whether or not a thread panicked while it held it: what it guards is valid at every moment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    /// A new logical device on `adapter`.
    pub(super) fn open(adapter: &Adapter, caps: Caps, tally: Arc<Tally>) -> Result<Arc<Self>> {
        let id = adapter.label();
        let wgpu_limits = adapter.adapter.limits();
        let request = wgpu::DeviceDescriptor {
            label: Some("unisono"),
            required_features: adapter.features(),
            required_limits: wgpu_limits.clone(),
            ..Default::default()
        };
        let failed = |message: String| Error::Device { device: id.clone(), stage: "opening the device".into(), message };
        adapter.note_opening();
        let (device, queue) = wall(|| pollster::block_on(adapter.adapter.request_device(&request)))
            .map_err(failed)?
            .map_err(|error| failed(chain(&error)))?;
        let lost = Arc::new(Lost::default());
        let told = lost.clone();
        device.set_device_lost_callback(move |reason, text| told.set(format!("{reason:?}: {text}")));
        // Errors outside a scope can only come from drops; what they mean is told by the next call.
        device.on_uncaptured_error(Arc::new(|_| {}));
        Ok(Arc::new(Self {
            limits: Limits::of(&wgpu_limits),
            caps,
            tuning: adapter.tuning(),
            device,
            queue,
            pool: Pool::default(),
            budget: adapter.budget.clone(),
            pipelines: Pipelines::default(),
            rates: Rates::default(),
            ceilings: Ceilings::default(),
            turns: Turns::default(),
            tally,
            lost,
            process: std::process::id(),
            id,
        }))
    }

    /// Puts a limit on the bytes held: until it is dropped, unused buffers go before new ones are made, and staging buffers
    /// are small.
    pub(super) fn limited(&self, bytes: u64) -> Ceiling<'_> {
        lock(&self.ceilings.0).push(bytes);
        Ceiling { context: self, bytes }
    }

    /// The least limit in force.
    pub(super) fn ceiling(&self) -> Option<u64> {
        lock(&self.ceilings.0).iter().min().copied()
    }

    /// Runs wgpu calls: a validation error, lack of memory, a panic or the loss of the device becomes an [`Error`].
    /// Every call into wgpu goes through here, on the thread that asked for it (error scopes are per thread).
    pub(crate) fn guarded<T>(&self, stage: &str, f: impl FnOnce(&wgpu::Device, &wgpu::Queue) -> T) -> Result<T> {
        self.guarded_bytes(stage, 0, f)
    }

    /// [`guarded`](Self::guarded) for calls that ask for so many bytes.
    pub(super) fn guarded_bytes<T>(
        &self,
        stage: &str,
        bytes: u64,
        f: impl FnOnce(&wgpu::Device, &wgpu::Queue) -> T,
    ) -> Result<T> {
        self.check_alive()?;
        let device = &self.device;
        let (result, error) = wall(|| {
            use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
            let scopes = [OutOfMemory, Internal, Validation].map(|filter| device.push_error_scope(filter));
            let result = wall(|| f(device, &self.queue));
            // Popped in reverse order, also after a panic.
            let errors = scopes.into_iter().rev().filter_map(|scope| pollster::block_on(scope.pop()));
            (result, errors.reduce(|first, _| first))
        })
        .unwrap_or_else(|panic| (Err(panic), None));
        if result.is_err() || error.is_some() {
            self.settle();
        }
        self.check_alive()?;
        let failed = |message: String| Error::Device { device: self.id.clone(), stage: stage.into(), message };
        match (result, error) {
            (Ok(value), None) => Ok(value),
            (_, Some(wgpu::Error::OutOfMemory { .. })) if bytes > 0 => Err(self.out_of_memory(bytes)),
            (_, Some(wgpu::Error::OutOfMemory { .. })) => Err(failed("out of memory".into())),
            (_, Some(error)) => Err(failed(error.to_string().trim().into())),
            (Err(panic), None) => Err(failed(panic)),
        }
    }

    pub(super) fn out_of_memory(&self, bytes: u64) -> Error {
        Error::OutOfMemory { device: self.id.clone(), bytes }
    }

    /// Submits commands, in turn.
    pub(super) fn submit_to(&self, queue: &wgpu::Queue, commands: Option<wgpu::CommandBuffer>) -> wgpu::SubmissionIndex {
        let _turn = self.turn();
        queue.submit(commands)
    }

    /// Polls the device, in turn; a panic of wgpu becomes its message. A wait should be short: it keeps others waiting.
    pub(super) fn poll(
        &self,
        poll: wgpu::PollType,
    ) -> std::result::Result<std::result::Result<wgpu::PollStatus, wgpu::PollError>, String> {
        if self.turns.waiting.load(Ordering::Relaxed) > 0 {
            // The lock is not fair: let the others go first.
            std::thread::sleep(Duration::from_micros(20));
        }
        let _turn = self.turn();
        wall(|| self.device.poll(poll))
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turns.waiting.fetch_add(1, Ordering::Relaxed);
        let turn = lock(&self.turns.turn);
        self.turns.waiting.fetch_sub(1, Ordering::Relaxed);
        turn
    }

    /// Lets a device that is gone say so: it does when polled, after the work in flight; and if another thread's poll
    /// brought the news, that thread is about to tell it.
    fn settle(&self) {
        for _ in 0..10 {
            let poll = wgpu::PollType::Wait { submission_index: None, timeout: Some(Duration::from_secs(1)) };
            let _ = self.poll(poll);
            if self.is_lost() {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The loss of the device if that is the cause of a failure, else the failure.
    pub(super) fn failure_or_loss(&self, stage: &str, message: impl Into<String>) -> Error {
        self.settle();
        self.check_alive().err().unwrap_or_else(|| self.failure(stage, message))
    }

    /// An error of this device.
    pub(super) fn failure(&self, stage: &str, message: impl Into<String>) -> Error {
        Error::Device { device: self.id.clone(), stage: stage.into(), message: message.into() }
    }

    /// Whether this process opened the context: a forked child has its memory, but not its driver threads.
    pub(super) fn is_ours(&self) -> bool {
        self.process == std::process::id()
    }

    /// Whether the device is gone for good.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.flag.load(Ordering::Acquire)
    }

    /// Declares the device gone.
    pub(super) fn give_up(&self, reason: String) {
        self.lost.set(reason);
    }

    /// Fails if the device is lost or belongs to the process that forked this one.
    pub(super) fn check_alive(&self) -> Result<()> {
        let lost = |reason: String| Err(Error::DeviceLost { device: self.id.clone(), reason });
        if !self.is_ours() {
            return lost("it was opened before this process was forked; arrays on it must be made anew in the child".into());
        }
        match self.is_lost() {
            true => lost(self.lost.reason.get().cloned().unwrap_or_default()),
            false => Ok(()),
        }
    }

    /// Ends the device as a driver reset would.
    #[cfg(test)]
    pub(super) fn destroy(&self) {
        self.device.destroy();
    }
}

/// The message of an error and of its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("id", &self.id).field("lost", &self.is_lost()).finish_non_exhaustive()
    }
}
