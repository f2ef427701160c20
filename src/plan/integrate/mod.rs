//! Integrals by Monte Carlo: which samples, what the sums of the integrand say, and what a run has done so far.

mod bytes;
mod grid;
mod native;
mod sobol;
mod state;
mod sums;

use std::ops::Range;
use std::sync::Arc;

pub(crate) use grid::{BIN_BITS, BINS, Cell, Grid, counted};
pub(crate) use native::{Function, Native};
pub(crate) use sobol::Replicate;
pub use state::IntegralState;
pub use sums::{Integral, IntegralSums};

use super::map::{bind, check_dtype, written};
use crate::expr::lower::{Binding, Program};
use crate::{Dtype, Error, Expression, Philox4x32, Result};

/// What the seed is xored with to give the key of an integral's generator (`integral` in ASCII): under one seed no integral
/// has a block in common with [`random`](crate::random) numbers or with π.
pub(crate) const DOMAIN: u64 = u64::from_be_bytes(*b"integral");

/// How the points of an integral are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum IntegralMethod {
    /// Independent points, all alike: the error falls as 1/√n, whatever the integrand and the number of coordinates.
    #[default]
    Plain,
    /// Importance sampling on a grid that adapts to the integrand, round by round (vegas): for integrands with peaks, above all
    /// such as lie along the axes.
    Vegas,
    /// The points of 32 Sobol sequences, each scrambled by a hash (Owen's nested uniform scrambling), which take turns: for
    /// integrands without jumps in up to some tens of coordinates (at most 1024). The error of smooth ones falls nearly as
    /// `n^-3/2`, and is known from the spread of the 32 estimates. Best with a power of two of samples.
    Sobol,
}

impl IntegralMethod {
    /// Every method.
    pub const ALL: [Self; 3] = [Self::Plain, Self::Vegas, Self::Sobol];

    /// Its name: `plain`, `vegas`, `sobol`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Vegas => "vegas",
            Self::Sobol => "sobol",
        }
    }
}

impl std::fmt::Display for IntegralMethod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for IntegralMethod {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|method| method.name() == text);
        known.ok_or_else(|| Error::invalid("method of an integral", format!("{text:?}"), Self::ALL.map(Self::name).join(", ")))
    }
}

/// An integral over a box, and how well it is to be known.
///
/// ```
/// use unisono::{Backend, Integrate};
/// # fn main() -> unisono::Result<()> {
/// let how = Integrate::new("exp(-(x*x + y*y))", &[("x", 0.0, 1.0), ("y", 0.0, 1.0)])?.samples(100_000).seed(42);
/// let integral = Backend::cpu().integrate(&how)?;
/// assert!((integral.estimate - 0.557746).abs() < 4.0 * integral.standard_error);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Integrate {
    expression: Arc<Expression>,
    native: Option<Native>,
    bounds: Vec<(String, f64, f64)>,
    params: Vec<(String, f64)>,
    dtype: Dtype,
    seed: u64,
    method: IntegralMethod,
    samples: u64,
    absolute: f64,
    relative: f64,
    round: Option<u64>,
}

impl Integrate {
    /// The integral of a text over `(name, from, to)` of every coordinate.
    ///
    /// # Errors
    /// As [`Expression::new`].
    pub fn new(text: &str, bounds: &[(&str, f64, f64)]) -> Result<Self> {
        Ok(Self::of(Expression::new(text)?, bounds))
    }

    fn of(expression: Expression, bounds: &[(&str, f64, f64)]) -> Self {
        Self {
            expression: Arc::new(expression),
            native: None,
            bounds: bounds.iter().map(|&(name, from, to)| (name.into(), from, to)).collect(),
            params: vec![],
            dtype: Dtype::F32,
            seed: 0,
            method: IntegralMethod::Plain,
            samples: 1 << 20,
            absolute: 0.0,
            relative: 0.0,
            round: None,
        }
    }

    /// The integral of a function of Rust over `(name, from, to)` of every coordinate: on CPUs, in float64. The function is called
    /// with a point, on several threads. States know it by its name.
    ///
    /// Sums are exact, so that neither threads nor a split changes a bit if the function's value depends on the point alone.
    ///
    /// ```
    /// use unisono::{Backend, IntegralMethod, Integrate};
    /// # fn main() -> unisono::Result<()> {
    /// let how = Integrate::function("bessel", &[("t", 0.0, std::f64::consts::PI)], |t| (2.0 * t[0].sin()).cos());
    /// let integral = Backend::cpu().integrate(&how.method(IntegralMethod::Sobol).samples(1 << 15))?;
    /// let j0 = integral.estimate / std::f64::consts::PI; // Bessel's J0(2)
    /// assert!((j0 - 0.2238907791).abs() < 1e-5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn function<F>(name: &str, bounds: &[(&str, f64, f64)], function: F) -> Self
    where
        F: Fn(&[f64]) -> f64 + Send + Sync + 'static,
    {
        let native = Native::Rust { name: name.into(), function: Some(Arc::new(function)) };
        Self::of_native(native, bounds)
    }

    /// The integral of a function in WGSL over `(name, from, to)` of every coordinate: on GPUs, in float32. The text has a function
    /// `integrand` of as many `f32`, which gives one, and whatever else that needs; [parameters](Self::param) are variables of their
    /// names in it, `f32` too, and another value compiles nothing anew. Names that the shader around it has (`words`, `significand` …)
    /// are taken; the error names them.
    ///
    /// Points and sums are those of any integral; the values are the device's own floats, whose bits and errors differ from device
    /// to device ([`is_reproducible`](Self::is_reproducible)).
    ///
    /// ```no_run
    /// use unisono::{Backend, Integrate};
    /// # fn main() -> unisono::Result<()> {
    /// let text = "fn integrand(x: f32, y: f32) -> f32 { return exp(-s*(x*x + y*y)); }";
    /// let how = Integrate::wgsl(text, &[("x", 0.0, 1.0), ("y", 0.0, 1.0)]).param("s", 1.0);
    /// let integral = Backend::gpu(0)?.integrate(&how)?;
    /// assert!((integral.estimate - 0.557746).abs() < 4.0 * integral.standard_error);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wgsl(text: &str, bounds: &[(&str, f64, f64)]) -> Self {
        Self::of_native(Native::Wgsl(text.into()), bounds)
    }

    fn of_native(native: Native, bounds: &[(&str, f64, f64)]) -> Self {
        let dtype = if let Native::Rust { .. } = native { Dtype::F64 } else { Dtype::F32 };
        Self { native: Some(native.clone()), dtype, ..Self::of(native.expression(), bounds) }
    }

    /// The integral that a text of a state stands for.
    fn of_text(text: &str, bounds: &[(&str, f64, f64)]) -> Result<Self> {
        match Native::of_text(text) {
            Some(native) => Ok(Self::of_native(native, bounds)),
            None => Self::new(text, bounds),
        }
    }

    /// Whether every device that can compute the integral gives the same bits: not where the integrand is
    /// [WGSL](Self::wgsl), and of a [function of Rust](Self::function) if it does.
    pub fn is_reproducible(&self) -> bool {
        !matches!(self.native, Some(Native::Wgsl(_)))
    }

    /// The integrand; of code, a text that stands for it.
    pub fn expression(&self) -> &Expression {
        &self.expression
    }

    /// The value of a parameter.
    pub fn param(mut self, name: &str, value: f64) -> Self {
        self.params.retain(|(known, _)| known != name);
        // In one order, so that equal problems are equal.
        let at = self.params.partition_point(|(known, _)| known.as_str() < name);
        self.params.insert(at, (name.into(), value));
        self
    }

    /// Samples to draw; with a target error, at most: of Sobol's points as many as the last look that these allow. 2^20 by default.
    pub fn samples(mut self, samples: u64) -> Self {
        self.samples = samples;
        self
    }

    /// The seed, 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How points are chosen: independently, by default.
    pub fn method(mut self, method: IntegralMethod) -> Self {
        self.method = method;
        self
    }

    /// The dtype that coordinates and integrand are computed in: float32 (the default) or float64. It is part of the
    /// problem: another dtype has other samples.
    pub fn dtype(mut self, dtype: Dtype) -> Self {
        self.dtype = dtype;
        self
    }

    /// Stops after the first round with a standard error of at most this; of importance sampling after the fifth at the
    /// earliest. With both targets either suffices.
    pub fn absolute_error(mut self, error: f64) -> Self {
        self.absolute = error;
        self
    }

    /// As [`absolute_error`](Self::absolute_error), for a share of the estimate, which no estimate of 0 is known to.
    ///
    /// Samples of which no two differ tell no error: the estimate over their number, what another value among them might do, has
    /// to meet either target, unless the expression names no coordinate.
    pub fn relative_error(mut self, error: f64) -> Self {
        self.relative = error;
        self
    }

    /// Samples of a round, 2^18 by default: the error is looked at after each, so that where it stops does not depend on
    /// the device. Of importance sampling, whose grid is made anew after each round, 2^16 by default, 2^24 at most, and part
    /// of the problem. Of Sobol's points, whose error falls in steps, 2^15 by default; each round after the first is as long as
    /// all before it, so that powers of two stay such.
    pub fn round(mut self, samples: u64) -> Self {
        self.round = Some(samples);
        self
    }

    /// Samples of a round.
    pub(crate) fn round_len(&self) -> u64 {
        self.round.unwrap_or(match self.method {
            IntegralMethod::Plain => 1 << 18,
            IntegralMethod::Vegas => 1 << 16,
            IntegralMethod::Sobol => 1 << 15,
        })
    }

    /// Whether a target error is set.
    pub(crate) fn has_target(&self) -> bool {
        self.absolute > 0.0 || self.relative > 0.0
    }

    /// The standard error to be reached, by what is known of the integral; 0 without a target.
    pub(crate) fn target(&self, integral: &Integral) -> f64 {
        self.absolute.max(self.relative * integral.estimate.abs())
    }

    /// Whether the integral is known as well as asked for. Importance sampling must have seen some rounds: the first may miss
    /// what is narrow, and know nothing of it.
    pub(crate) fn is_met(&self, integral: &Integral) -> bool {
        let seen = self.method != IntegralMethod::Vegas || integral.samples >= FEW_ROUNDS * self.round_len();
        let (target, estimate, error) = (self.target(integral), integral.estimate, integral.standard_error);
        // Equal samples say no more than that other values are rarer than one in them.
        let error = if error == 0.0 && self.varies() { estimate.abs() / integral.samples as f64 } else { error };
        seen && target > 0.0 && estimate.is_finite() && error <= target
    }

    /// Whether the integrand may have more than one value.
    fn varies(&self) -> bool {
        let named = |(name, ..): &(String, f64, f64)| self.expression.names().contains(name);
        self.native.is_some() || self.bounds.iter().any(named)
    }

    /// How many indices of samples a run to its end takes.
    pub(crate) fn indices(&self) -> u64 {
        match self.method {
            // Between two looks the error of Sobol's points is larger than at the first of them.
            IntegralMethod::Sobol if self.has_target() => {
                let rounds = self.samples / self.round_len().max(1);
                rounds.checked_ilog2().map_or(self.samples, |doublings| self.round_len() << doublings)
            }
            IntegralMethod::Plain | IntegralMethod::Sobol => self.samples,
            IntegralMethod::Vegas => self.samples - self.samples % self.round_len().max(1),
        }
    }

    /// The samples of a run to its end, as they were asked for, and the least that there can be.
    pub(crate) fn samples_asked(&self) -> [u64; 2] {
        let fewest = if self.method == IntegralMethod::Vegas { self.round_len() } else { 1 };
        [self.samples, fewest]
    }

    /// The first place from `done` on at which the error is looked at.
    pub(crate) fn look_from(&self, done: u64) -> u64 {
        let len = self.round_len();
        let rounds = done.max(1).div_ceil(len);
        let rounds = if self.method == IntegralMethod::Sobol { rounds.checked_next_power_of_two() } else { Some(rounds) };
        rounds.map_or(u64::MAX, |rounds| rounds.saturating_mul(len))
    }

    /// Fails unless the estimate is a sum over samples that are all alike.
    pub(crate) fn check_plain(&self) -> Result<()> {
        match self.method {
            IntegralMethod::Plain => Ok(()),
            method => {
                Err(Error::invalid("method of a range of samples", method, "plain; a state of an integral takes the others"))
            }
        }
    }

    /// The first setting in which another problem differs, as errors name it: what, that of the other, and this one's.
    pub(crate) fn difference(&self, other: &Self) -> Option<(&'static str, String, String)> {
        let rounds = |how: &Self| if how.method == IntegralMethod::Vegas { how.round_len() } else { 0 };
        let pairs = |how: &Self| format!("{:?}", how.params);
        let bounds = |how: &Self| format!("{:?}", how.bounds);
        let settings = |how: &Self| {
            [
                ("expression", format!("`{}`", how.expression.text())),
                ("bounds", bounds(how)),
                ("parameters", pairs(how)),
                ("dtype", how.dtype.to_string()),
                ("seed", how.seed.to_string()),
                ("method", how.method.to_string()),
                ("samples of a round", rounds(how).to_string()),
            ]
        };
        let pair = settings(self).into_iter().zip(settings(other)).find(|((_, own), (_, other))| own != other);
        pair.map(|((what, own), (_, other))| (what, other, own))
    }
}

/// Rounds of importance sampling before a target is looked at.
const FEW_ROUNDS: u64 = 5;

/// Where the points of samples lie.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Sampling {
    /// All places alike.
    Uniform,
    /// As the cells of a grid say.
    Grid(Arc<Grid>),
    /// Points of Sobol's sequence: the plan's samples are their indices.
    Sobol(Replicate),
}

/// Samples of an [`Integrate`], addressed by their index: any cut gives the same sums.
#[derive(Debug, Clone, PartialEq)]
pub struct IntegratePlan {
    /// The integrand if it is code, not the expression.
    pub(crate) native: Option<Native>,
    /// Names and values of WGSL's parameters.
    pub(crate) parameters: Vec<(String, f64)>,
    pub(crate) expression: Arc<Expression>,
    pub(crate) bindings: Vec<Binding>,
    pub(crate) program: Arc<Program>,
    /// Where every coordinate starts and ends.
    pub bounds: Vec<[f64; 2]>,
    /// The dtype computed in.
    pub dtype: Dtype,
    /// The seed.
    pub seed: u64,
    /// The indices of the samples.
    pub samples: Range<u64>,
    pub(crate) sampling: Sampling,
}

impl IntegratePlan {
    /// Plans the samples of a range.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a range that ends before it starts, no coordinate, bounds that are not finite or make a volume out of
    /// binary64's reach, errors below 0, names without a value, with two, or unknown, too many coordinates for the method; [`Error::Dtype`] for other dtypes than float32 and float64.
    pub fn new(how: &Integrate, samples: Range<u64>) -> Result<Self> {
        check_dtype(how.dtype)?;
        let wanted = how.native.as_ref().map(|native| if let Native::Rust { .. } = native { Dtype::F64 } else { Dtype::F32 });
        if let Some(wanted) = wanted.filter(|&wanted| wanted != how.dtype) {
            let what = format!("dtype of the integrand `{}`", how.expression.text().lines().next().unwrap_or_default());
            return Err(Error::Dtype { what, got: how.dtype, expected: wanted.to_string() });
        }
        if samples.end < samples.start {
            return Err(Error::invalid("sample range", format!("{samples:?}"), "an end not before the start"));
        }
        if how.bounds.is_empty() || how.bounds.len() > 1 << 16 {
            return Err(Error::invalid("bounds", format!("{} of them", how.bounds.len()), "1 to 65,536, one per coordinate"));
        }
        for &(ref name, from, to) in &how.bounds {
            let width = to - from;
            let fits = |x: f64| if how.dtype == Dtype::F32 { (x as f32).is_finite() } else { x.is_finite() };
            if !(fits(from) && fits(to) && fits(width)) {
                let expected = format!("finite bounds, and a finite distance between them, in {}", how.dtype);
                return Err(Error::invalid(format!("bounds of `{name}`"), format!("{from} to {to}"), expected));
            }
        }
        let widths = || how.bounds.iter().map(|(_, from, to)| to - from);
        let volume: f64 = widths().product();
        if !volume.is_finite() || volume == 0.0 && widths().all(|width| width != 0.0) {
            return Err(Error::invalid("bounds", format!("a volume of {volume}"), "widths whose product float64 holds"));
        }
        for (what, error) in [("absolute error", how.absolute), ("relative error", how.relative)] {
            if error.is_nan() || error < 0.0 {
                return Err(Error::invalid(what, error, "a number of at least 0"));
            }
        }
        let vegas = how.method == IntegralMethod::Vegas;
        let rounds = if vegas { 2..=grid::MOST_SAMPLES } else { 1..=u64::MAX };
        if !rounds.contains(&how.round_len()) {
            let expected = if vegas { format!("2 to {}", grid::MOST_SAMPLES) } else { "at least 1".into() };
            return Err(Error::invalid("samples of a round", how.round_len(), expected));
        }
        let names: Vec<&str> = how.bounds.iter().map(|(name, ..)| name.as_str()).collect();
        let (params, parameters) = match &how.native {
            Some(Native::Wgsl(_)) => (&[][..], native::parameters(&how.params)?),
            _ => (&how.params[..], vec![]),
        };
        let bindings = bind(&how.expression, &names, "coordinate", params)?;
        let expression = written(&how.expression, how.dtype);
        let program = Arc::new(Program::new(&expression, &bindings, names.len()));
        let bounds = how.bounds.iter().map(|&(_, from, to)| [from, to]).collect();
        let sampling = match how.method {
            IntegralMethod::Plain => Sampling::Uniform,
            IntegralMethod::Vegas => Sampling::Grid(Arc::new(Grid::new(names.len()))),
            IntegralMethod::Sobol => Sampling::Sobol(Replicate::first(how.seed, names.len())?),
        };
        let (dtype, seed) = (how.dtype, how.seed);
        let native = how.native.clone();
        Ok(Self { native, parameters, expression, bindings, program, bounds, dtype, seed, samples, sampling })
    }

    /// The number of samples.
    pub fn len(&self) -> u64 {
        self.samples.end - self.samples.start
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The samples in `range`, which counts from the first of this plan.
    pub fn part(&self, range: Range<u64>) -> Self {
        let start = self.samples.start;
        Self { samples: start + range.start..start + range.end, ..self.clone() }
    }

    /// The sums of no samples.
    pub(crate) fn no_sums(&self) -> IntegralSums {
        let counts = if let Sampling::Grid(_) = self.sampling { vec![0; self.bounds.len() * BINS] } else { vec![] };
        IntegralSums { counts, ..IntegralSums::default() }
    }

    /// Operations on elements, those that make the coordinates included: the unit of cost.
    pub(crate) fn work(&self) -> u64 {
        let own = if self.native.is_some() { 32 } else { 0 };
        self.len().saturating_mul(own + self.program.cost() + 8 * self.bounds.len() as u64)
    }

    /// The generator of the words that samples are made of.
    pub(crate) fn philox(&self) -> Philox4x32 {
        Philox4x32::new(self.seed ^ DOMAIN)
    }

    /// The volume of the box.
    pub fn volume(&self) -> f64 {
        self.bounds.iter().map(|[from, to]| to - from).product()
    }
}

/// Words of Philox that a sample takes: a block holds four samples of one coordinate, two of two, one of three or four;
/// beyond, a sample takes whole blocks.
///
/// Frozen: word `w` of sample `s` is word `(s mod k) · n + w` of the block with counter `(s div k, 0, 1)` where `n ≤ 4` words
/// make a sample and `k = 4 / n`, and word `w mod 4` of the block with counter `(s, w div 4, 1)` otherwise.
pub(crate) fn words_per_sample(dimensions: usize) -> usize {
    if dimensions <= 4 { dimensions.next_power_of_two() } else { dimensions.next_multiple_of(4) }
}
