//! Work cut into chunks, three of them on their way at a time: while the device computes one, the host fills the input of the
//! next and takes the result of the one before.
//!
//! A queue of a device runs what it gets in order, so what overlaps is the host's copying with the device's work; a copy from
//! a staging buffer waits in the queue for its turn.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::ScopedJoinHandle;

use super::context::Context;
use crate::engine::Target;
use crate::{Control, Error, Result};

/// Without a limit: the first one to try with where memory runs out, and the last.
const FIRST_LIMIT: u64 = 2 << 30;
const LAST_LIMIT: u64 = 16 << 20;

/// Runs work within a limit of memory. If there is none and the device has too little for what the work would like, it is
/// tried again with less and less, as long as nothing was done yet.
pub(super) fn in_memory<T>(
    context: &Context,
    limit: Option<u64>,
    control: &Control,
    mut target: Target<'_>,
    mut work: impl FnMut(Target<'_>, Option<u64>) -> Result<T>,
) -> Result<T> {
    let before = control.progress().done;
    let mut tried = limit;
    loop {
        let once = match &mut target {
            Target::Host(out) => Target::Host(out.reborrow()),
            Target::Device(old) => Target::Device(old.take()),
        };
        match work(once, tried) {
            Err(Error::OutOfMemory { device, .. })
                if limit.is_none()
                    && device == context.id
                    && control.progress().done == before
                    && tried.is_none_or(|tried| tried > LAST_LIMIT) =>
            {
                tried = Some(tried.map_or(FIRST_LIMIT, |tried| tried / 2));
            }
            result => return result,
        }
    }
}

/// Chunks on their way through places for inputs (`A`) and outputs (`B`).
pub(super) struct Stream<'a, A, B> {
    pub(super) context: &'a Context,
    /// How many chunks there are.
    pub(super) chunks: usize,
    /// The input that a chunk reads, counted from 0; consecutive chunks read the same or consecutive ones.
    pub(super) input_of: &'a (dyn Fn(usize) -> usize + Sync),
    /// Places for inputs: two, or one if memory is scarce. Nothing overlaps then.
    pub(super) inputs: Vec<A>,
    /// Places for outputs, as many.
    pub(super) outputs: Vec<B>,
}

impl<A: Send, B: Send> Stream<'_, A, B> {
    /// Fills inputs, computes chunks and drains outputs, each in order. The first error ends it.
    pub(super) fn run(
        self,
        fill: &mut (dyn FnMut(usize, &mut A) -> Result<()> + Send),
        compute: &mut dyn FnMut(usize, &mut A, &mut B) -> Result<()>,
        drain: &mut (dyn FnMut(usize, &mut B) -> Result<()> + Send),
    ) -> Result<()> {
        if self.chunks <= 1 || self.inputs.len() <= 1 || self.outputs.len() <= 1 {
            self.one_by_one(fill, compute, drain)
        } else {
            self.overlapped(fill, compute, drain)
        }
    }

    fn one_by_one(
        mut self,
        fill: &mut dyn FnMut(usize, &mut A) -> Result<()>,
        compute: &mut dyn FnMut(usize, &mut A, &mut B) -> Result<()>,
        drain: &mut dyn FnMut(usize, &mut B) -> Result<()>,
    ) -> Result<()> {
        let (Some(input), Some(output)) = (self.inputs.first_mut(), self.outputs.first_mut()) else { return Ok(()) };
        let mut filled = None;
        for chunk in 0..self.chunks {
            let wanted = (self.input_of)(chunk);
            if filled != Some(wanted) {
                fill(wanted, input)?;
                filled = Some(wanted);
            }
            compute(chunk, input, output)?;
            drain(chunk, output)?;
        }
        Ok(())
    }

    fn overlapped(
        self,
        fill: &mut (dyn FnMut(usize, &mut A) -> Result<()> + Send),
        compute: &mut dyn FnMut(usize, &mut A, &mut B) -> Result<()>,
        drain: &mut (dyn FnMut(usize, &mut B) -> Result<()> + Send),
    ) -> Result<()> {
        let Self { context, chunks, input_of, inputs, outputs } = self;
        let ring = inputs.len().max(outputs.len());
        // Places circle: free, filled, free again. A stage that ends hangs up, and its neighbours end too.
        let (free_inputs, vacant_inputs) = circle(inputs);
        let (free_outputs, vacant_outputs) = circle(outputs);
        let (send_input, filled_inputs) = sync_channel::<A>(ring);
        let (send_output, filled_outputs) = sync_channel::<(usize, B)>(ring);
        std::thread::scope(|scope| {
            let load = move || -> Result<()> {
                for index in 0..=input_of(chunks - 1) {
                    let Ok(mut place) = vacant_inputs.recv() else { break };
                    fill(index, &mut place)?;
                    if send_input.send(place).is_err() {
                        break;
                    }
                }
                Ok(())
            };
            let unload = move || -> Result<()> {
                while let Ok((chunk, mut place)) = filled_outputs.recv() {
                    drain(chunk, &mut place)?;
                    // The last places have no use any more.
                    let _ = free_outputs.send(place);
                }
                Ok(())
            };
            let thread = |name: &str| std::thread::Builder::new().name(name.into());
            let started = |error: std::io::Error| context.failure("streaming", format!("no thread could be started: {error}"));
            let loader = thread("unisono-upload").spawn_scoped(scope, load).map_err(started)?;
            let unloader = thread("unisono-download").spawn_scoped(scope, unload).map_err(started)?;
            let mut input: Option<(usize, A)> = None;
            let mut failure = None;
            for chunk in 0..chunks {
                let wanted = input_of(chunk);
                if input.as_ref().is_none_or(|(index, _)| *index != wanted) {
                    if let Some((_, place)) = input.take() {
                        let _ = free_inputs.send(place);
                    }
                    let Ok(place) = filled_inputs.recv() else { break };
                    input = Some((wanted, place));
                }
                let Some((_, place)) = &mut input else { break };
                let Ok(mut output) = vacant_outputs.recv() else { break };
                if let Err(error) = compute(chunk, place, &mut output) {
                    failure = Some(error);
                    break;
                }
                if send_output.send((chunk, output)).is_err() {
                    break;
                }
            }
            drop((input, free_inputs, filled_inputs, vacant_outputs, send_output));
            let (loaded, unloaded) = (joined(context, loader), joined(context, unloader));
            failure.map_or(Ok(()), Err).and(loaded).and(unloaded)
        })
    }
}

/// A channel with all places in it.
fn circle<T>(places: Vec<T>) -> (SyncSender<T>, Receiver<T>) {
    let (send, receive) = sync_channel(places.len());
    for place in places {
        // There is room for all of them.
        let _ = send.send(place);
    }
    (send, receive)
}

fn joined(context: &Context, stage: ScopedJoinHandle<'_, Result<()>>) -> Result<()> {
    stage.join().unwrap_or_else(|_| Err(context.failure("streaming", "a thread panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is tried, where work takes more than `fits` bytes (or everything) as long as nothing is done.
    fn tried(context: &Context, limit: Option<u64>, fits: u64, done: u64) -> (Vec<Option<u64>>, Result<()>) {
        let (control, mut all) = (Control::new(), vec![]);
        let result = in_memory(context, limit, &control, Target::Device(None), |_, memory| {
            all.push(memory);
            if memory.is_some_and(|bytes| bytes <= fits) {
                return Ok(());
            }
            control.advance(done);
            Err(Error::OutOfMemory { device: context.id.clone(), bytes: 1 })
        });
        (all, result)
    }

    #[test]
    fn work_without_memory_is_tried_again_with_less() {
        for index in 0..crate::gpu::list().len() {
            let context = crate::gpu::GpuEngine::open(index).unwrap().context().unwrap();
            let (all, result) = tried(&context, None, FIRST_LIMIT / 4, 0);
            assert_eq!(all, [None, Some(FIRST_LIMIT), Some(FIRST_LIMIT / 2), Some(FIRST_LIMIT / 4)]);
            assert_eq!(result, Ok(()));
            // Until there is no point, when something was done, and when the caller has said how much.
            let (all, result) = tried(&context, None, 0, 0);
            assert_eq!(all.last(), Some(&Some(LAST_LIMIT)));
            assert!(matches!(result, Err(Error::OutOfMemory { .. })));
            assert_eq!(tried(&context, None, u64::MAX, 1).0, [None]);
            assert_eq!(tried(&context, Some(1 << 30), 0, 0).0, [Some(1 << 30)]);
        }
    }
}
