//! Integrals: rounds, slices and states around the engine's sums.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Backend;
use crate::checkpoint::{in_file, read, read_if_there, write_in_one_step};
use crate::engine::Work;
use crate::plan::{Integral, IntegralState, IntegralSums, Integrate, IntegratePlan};
use crate::{Error, Result};

/// How long a slice should take: what a cancellation can lose.
const SLICE: f64 = 0.3;
/// Samples of the first slice.
const FIRST: u64 = 1 << 18;

/// How many samples are drawn in one go.
struct Pace {
    samples: u64,
    /// Whether slices grow or shrink towards [`SLICE`].
    adapts: bool,
}

impl Pace {
    /// As many as there are: nothing is kept of a run that is cancelled.
    fn whole() -> Self {
        Self { samples: u64::MAX, adapts: false }
    }

    fn sliced() -> Self {
        Self { samples: FIRST, adapts: true }
    }

    /// Towards slices of the wanted length, at most eight times the last: the first calls are not typical.
    fn learn(&mut self, seconds: f64) {
        if self.adapts {
            let growth = (SLICE / seconds.max(1e-6)).clamp(0.125, 8.0);
            self.samples = ((self.samples as f64 * growth) as u64).clamp(1 << 14, 1 << 40) & !0x3fff;
        }
    }
}

/// What is done after every slice.
type After<'a> = dyn FnMut(&IntegralState) -> Result<()> + 'a;

impl Backend {
    /// The integral of an expression over a box by Monte Carlo, from a number of samples or to a target error.
    ///
    /// **Numerics.** Samples are addressed by their index and their values summed exactly, so that neither threads nor a split
    /// changes a bit; with float32 (the default) no device does. With a target error the samples come in rounds of
    /// [`Integrate::round`], so that where it stops is as reproducible.
    ///
    /// # Errors
    /// [`Error::Invalid`] for names, bounds and errors that do not fit ([`IntegratePlan::new`]) and for 0 samples (importance
    /// sampling: less than a round), and the failures of the device.
    pub fn integrate(&self, how: &Integrate) -> Result<Integral> {
        self.reach_integral(how, &mut IntegralState::new(how)?, Pace::whole(), &mut |_| Ok(()))
    }

    /// [`integrate`](Self::integrate) from what a state has already, into it: draws the samples that `how` asks for and the
    /// state has not, in slices of about 0.3 s. When cancelled, or if the device fails, the state keeps the slices that were
    /// finished.
    ///
    /// # Errors
    /// As [`integrate`](Self::integrate); [`Error::Invalid`] if `how` is another problem than the state's.
    pub fn integrate_into(&self, how: &Integrate, state: &mut IntegralState) -> Result<Integral> {
        state.check_problem("integral", how)?;
        state.adopt(how);
        self.reach_integral(how, state, Pace::sliced(), &mut |_| Ok(()))
    }

    /// [`integrate_into`](Self::integrate_into), saving the state to `file` every `interval` and at the end, however it ends. A
    /// file that is there is read first: its samples are not drawn again. It is replaced in one step, so that a kill at any
    /// moment leaves a whole state.
    ///
    /// # Errors
    /// As [`integrate_into`](Self::integrate_into); [`Error::Invalid`] if the file is of another problem, or if neither it nor the
    /// state has all samples that they have in common and others besides; [`Error::Corrupt`] if it is damaged; [`Error::File`] if
    /// it cannot be read or written.
    pub fn integrate_saved(
        &self,
        how: &Integrate,
        state: &mut IntegralState,
        file: &Path,
        interval: Duration,
    ) -> Result<Integral> {
        state.check_problem("integral", how)?;
        state.adopt(how);
        if let Some(saved) = IntegralState::load_if_there(file)? {
            state.join(&saved).map_err(|error| in_file(file, error))?;
        }
        // Says now, not after hours, that the file cannot be written.
        state.save(file)?;
        let mut last = Instant::now();
        let done = self.reach_integral(how, state, Pace::sliced(), &mut |state| {
            if last.elapsed() < interval {
                return Ok(());
            }
            let saved = state.save(file);
            last = Instant::now();
            saved
        });
        state.save(file).and(done)
    }

    /// Draws the samples of a range that the state has not: its share of a run that several machines work on. Of importance
    /// sampling the samples of one round can be shared; the next round's grid comes of all of them.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the range ends before it starts or needs a grid that the state does not have yet,
    /// [`Error::Cancelled`], and the failures of the device. The state keeps the slices that were finished.
    pub fn extend_integral(&self, state: &mut IntegralState, samples: Range<u64>) -> Result<()> {
        if samples.end < samples.start {
            return Err(Error::invalid("sample range", format!("{samples:?}"), "an end not before the start"));
        }
        self.expect_missing(state, samples.clone());
        self.draw_integral(state, samples, &mut Pace::sliced(), &mut |_| Ok(()))
    }

    /// The sums over a range of the samples of [`integrate`](Self::integrate), all of them: sums of disjoint ranges
    /// [merge](IntegralSums::merge) exactly, and [`Integral::new`] reads them. An [`IntegralState`] keeps count of them, and
    /// serves the methods that are more than a sum.
    ///
    /// # Errors
    /// As [`integrate`](Self::integrate); [`Error::Invalid`] for other methods than [`Plain`](crate::IntegralMethod::Plain).
    pub fn integrate_range(&self, how: &Integrate, samples: Range<u64>) -> Result<IntegralSums> {
        let plan = IntegratePlan::new(how, samples)?;
        how.check_plain()?;
        self.control.expect(plan.len());
        self.engine.integrate(&plan, &self.control)
    }

    /// Where an integrand would be sampled, and why.
    ///
    /// # Errors
    /// [`Error::Invalid`] for names and bounds that do not fit.
    pub fn explain_integrate(&self, how: &Integrate) -> Result<String> {
        Ok(self.engine.explain(Work::Integrate(&IntegratePlan::new(how, 0..how.indices())?)))
    }

    fn reach_integral(
        &self,
        how: &Integrate,
        state: &mut IntegralState,
        mut pace: Pace,
        after: &mut After<'_>,
    ) -> Result<Integral> {
        // The numbers and errors of `how` are checked even where those of the state's problem were others.
        IntegratePlan::new(how, 0..0)?;
        let total = how.indices();
        if total == 0 {
            let [asked, fewest] = how.samples_asked();
            return Err(Error::invalid("samples", asked, format!("at least {fewest}")));
        }
        if !how.has_target() {
            self.expect_missing(state, 0..total);
            self.draw_integral(state, 0..total, &mut pace, after)?;
            return Ok(state.integral());
        }
        // A state may end inside a round; it is looked at where a run without interruption would.
        let mut end = how.look_from(state.prefix()).min(total);
        let (mut announced, mut known) = (0, state.integral());
        loop {
            // What it will probably take: the error falls as the root of the samples.
            let ratio = known.standard_error / how.target(&known);
            let wanted = (known.samples as f64 * ratio * ratio) as u64;
            let wanted = wanted.clamp(end, total);
            if wanted > announced {
                self.expect_missing(state, announced..wanted);
                announced = wanted;
            }
            self.draw_integral(state, 0..end, &mut pace, after)?;
            known = state.integral();
            let met = how.is_met(&known);
            if met || end == total {
                return Ok(known.converging(met));
            }
            end = how.look_from(end.saturating_add(1)).min(total);
        }
    }

    /// Announces the samples of a range that are missing.
    fn expect_missing(&self, state: &IntegralState, range: Range<u64>) {
        self.control().expect(state.missing(range).iter().map(|range| range.end - range.start).sum());
    }

    /// Draws what is missing of a range that was announced.
    fn draw_integral(&self, state: &mut IntegralState, range: Range<u64>, pace: &mut Pace, after: &mut After<'_>) -> Result<()> {
        while let Some(missing) = state.missing(range.clone()).first() {
            // Whether they can be drawn now.
            state.next(missing, pace.samples)?;
            // A few of a round's samples first, or if there is nothing in them all of it.
            for all in [false, true] {
                if let Some(scouts) = state.scouts(all) {
                    let sums = self.engine.integrate(&scouts, &self.control.quiet());
                    // A cancellation tells the progress of the run, not of its scouts.
                    self.control.check()?;
                    let sums = sums?;
                    state.set_scale(&sums);
                }
            }
            let next = state.next(missing, pace.samples)?;
            let began = Instant::now();
            let parts = next.replicates();
            let sums = parts.iter().map(|part| self.engine.integrate(part, &self.control)).collect::<Result<Vec<_>>>()?;
            state.add(&next, &sums);
            pace.learn(began.elapsed().as_secs_f64());
            after(state)?;
        }
        Ok(())
    }
}

impl IntegralState {
    /// Writes the [byte form](Self::to_bytes) to a file, in one step: whoever reads it, and a kill or a loss of power at any
    /// moment, finds the old state or the new one.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn save(&self, file: &Path) -> Result<()> {
        write_in_one_step(file, &self.to_bytes())
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Corrupt`] if it holds no state.
    pub fn load(file: &Path) -> Result<Self> {
        read(file, Self::from_bytes)
    }

    /// [`load`](Self::load), or `None` if there is no such file.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn load_if_there(file: &Path) -> Result<Option<Self>> {
        read_if_there(file, Self::from_bytes)
    }
}
