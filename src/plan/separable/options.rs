//! How to filter: what callers choose.

use super::Pass;
use crate::plan::Boundary;
use crate::{Dtype, Error, Result};

/// What one axis is filtered with, for [`Separable::pass`].
///
/// ```
/// use unisono::{Boundary, Factor};
/// let smooth = Factor::correlate(-1, [0.25, 0.5, 0.25]).boundary(Boundary::Nearest);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    axis: isize,
    weights: Vec<f64>,
    origin: isize,
    boundary: Boundary,
    reversed: bool,
}

impl Factor {
    /// `y[i] = Σ_t w[t] · x[i + t − n div 2]` along `axis` (negative: from the last), as `scipy.ndimage.correlate1d`.
    /// Reflect boundary.
    pub fn correlate(axis: isize, weights: impl Into<Vec<f64>>) -> Self {
        Self { axis, weights: weights.into(), origin: 0, boundary: Boundary::Reflect, reversed: false }
    }

    /// The same with the weights reversed, as `scipy.ndimage.convolve1d`.
    pub fn convolve(axis: isize, weights: impl Into<Vec<f64>>) -> Self {
        Self { reversed: true, ..Self::correlate(axis, weights) }
    }

    /// Moves the weights against the elements by so many, as `origin` of `scipy.ndimage`:
    /// `0 <= n div 2 + origin < n` (of a convolution, `−origin`).
    pub fn origin(self, origin: isize) -> Self {
        Self { origin, ..self }
    }

    /// What lies outside.
    pub fn boundary(self, boundary: Boundary) -> Self {
        Self { boundary, ..self }
    }

    /// The pass along an array of this shape.
    pub(super) fn resolve(&self, shape: &[usize]) -> Result<Pass> {
        let rank = shape.len() as isize;
        let axis = if self.axis < 0 { self.axis + rank } else { self.axis };
        if !(0..rank).contains(&axis) {
            return Err(Error::invalid("axis", self.axis, format!("-{rank} to {} for {rank} axes", rank - 1)));
        }
        let n = self.weights.len() as isize;
        if n == 0 {
            return Err(Error::invalid("weights", "none", "at least one"));
        }
        let (mut weights, mut origin) = (self.weights.clone(), self.origin);
        if self.reversed {
            weights.reverse();
            origin = -origin - isize::from(n % 2 == 0);
        }
        if !(0..n).contains(&(n / 2 + origin)) {
            let (low, high) = (-(n / 2), n - 1 - n / 2);
            let (low, high) =
                if self.reversed { (-high - isize::from(n % 2 == 0), -low - isize::from(n % 2 == 0)) } else { (low, high) };
            return Err(Error::invalid("origin", self.origin, format!("{low} to {high} for {n} weights")));
        }
        let output = shape[axis as usize];
        Ok(Pass { axis: axis as usize, weights, start: -(n / 2) - origin, output, boundary: self.boundary })
    }
}

/// How to filter: passes in their order, and the dtype of the result. Plain data, built by chaining.
///
/// ```
/// # fn main() -> unisono::Result<()> {
/// use unisono::{Backend, Factor, Separable};
/// let how = Separable::new().pass(Factor::correlate(0, [1.0, 2.0, 1.0])).pass(Factor::correlate(1, [-1.0, 0.0, 1.0]));
/// let image = ndarray::array![[0i16, 1, 2], [3, 4, 5], [6, 7, 8]];
/// let sobel = Backend::cpu().separable(&image, &how)?;
/// assert_eq!(sobel.into_vec()?, [4, 8, 4, 4, 8, 4, 4, 8, 4]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Separable {
    pub(super) terms: Vec<Vec<Factor>>,
    pub(super) combine: Combine,
    pub(super) out_dtype: Option<Dtype>,
}

/// What becomes of the terms of a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Combine {
    /// They are added.
    #[default]
    Sum,
    /// The square root of the sum of their squares.
    Magnitude,
}

impl Separable {
    /// No pass yet: the array as it is.
    pub fn new() -> Self {
        Self::default()
    }

    /// A kernel given as its factors, one per axis for the last axes, as a convolution: the kernel is their outer product.
    pub fn convolve(factors: &[&[f64]], boundary: Boundary) -> Self {
        Self::of(factors, boundary, Factor::convolve)
    }

    /// A kernel given as its factors, one per axis for the last axes, as a correlation.
    pub fn correlate(factors: &[&[f64]], boundary: Boundary) -> Self {
        Self::of(factors, boundary, Factor::correlate)
    }

    fn of(factors: &[&[f64]], boundary: Boundary, make: fn(isize, Vec<f64>) -> Factor) -> Self {
        let first = -(factors.len() as isize);
        let factors = (first..).zip(factors).map(|(axis, &weights)| make(axis, weights.to_vec()).boundary(boundary));
        Self { terms: vec![factors.collect()], ..Self::default() }
    }

    /// Adds a pass after those there are (of the last term).
    pub fn pass(mut self, factor: Factor) -> Self {
        match self.terms.last_mut() {
            Some(term) => term.push(factor),
            None => self.terms.push(vec![factor]),
        }
        self
    }

    /// Adds the terms of another filter: the result is the sum of the terms, each a filter of the array as it is. A term
    /// without passes is the array itself.
    pub fn plus(mut self, other: Self) -> Self {
        let whole = |terms: Vec<Vec<Factor>>| if terms.is_empty() { vec![vec![]] } else { terms };
        self.terms = whole(self.terms);
        self.terms.extend(whole(other.terms));
        self
    }

    /// The square root of the sum of the squares of the terms instead of their sum.
    pub fn magnitude(self) -> Self {
        Self { combine: Combine::Magnitude, ..self }
    }

    /// Every term times `factor`.
    pub fn scaled(mut self, factor: f64) -> Self {
        if self.terms.is_empty() {
            self.terms.push(vec![]);
        }
        for term in &mut self.terms {
            if term.is_empty() {
                term.push(Factor::correlate(0, [1.0]).boundary(Boundary::ZERO));
            }
            // The last pass: what lies outside of the others keeps its value.
            if let Some(last) = term.last_mut() {
                last.weights.iter_mut().for_each(|w| *w *= factor);
            }
        }
        self
    }

    /// The same with other boundaries.
    pub(crate) fn with_boundaries(mut self, change: impl Fn(Boundary) -> Boundary) -> Self {
        for factor in self.terms.iter_mut().flatten() {
            factor.boundary = change(factor.boundary);
        }
        self
    }

    /// The dtype of the result, instead of the array's. Only where the result is erased ([`crate::DynArray`]) or written
    /// into an output of that dtype.
    pub fn out_dtype(self, dtype: Dtype) -> Self {
        Self { out_dtype: Some(dtype), ..self }
    }
}
