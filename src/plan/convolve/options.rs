//! How to convolve: what callers choose.

use super::{Boundary, Mode};
use crate::Dtype;

/// Convolution (the kernel is reversed) or correlation (it is not).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// `y[i] = Σ k[j] x[i - j]`.
    Convolve,
    /// `y[i] = Σ k[j] x[i + j]`.
    Correlate,
}

/// How to convolve: rank, mode, boundary, dtype of the result. Plain data, built by chaining.
///
/// ```
/// use unisono::{Boundary, Convolve};
/// let sobel_like = Convolve::d2().same().boundary(Boundary::Reflect);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Convolve {
    pub(crate) rank: usize,
    pub(crate) mode: Mode,
    pub(crate) boundary: Vec<Boundary>,
    pub(crate) out_dtype: Option<Dtype>,
}

impl Convolve {
    /// Over the last `rank` axes (1, 2 or 3; checked when used). Full mode, zero boundary.
    pub fn rank(rank: usize) -> Self {
        Self { rank, mode: Mode::Full, boundary: vec![Boundary::ZERO], out_dtype: None }
    }

    /// Over the last axis.
    pub fn d1() -> Self {
        Self::rank(1)
    }

    /// Over the last two axes.
    pub fn d2() -> Self {
        Self::rank(2)
    }

    /// Over the last three axes.
    pub fn d3() -> Self {
        Self::rank(3)
    }

    /// Sets the mode.
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// [`Mode::Full`].
    pub fn full(self) -> Self {
        self.mode(Mode::Full)
    }

    /// [`Mode::Same`].
    pub fn same(self) -> Self {
        self.mode(Mode::Same)
    }

    /// [`Mode::Valid`].
    pub fn valid(self) -> Self {
        self.mode(Mode::Valid)
    }

    /// The same boundary along every axis.
    pub fn boundary(self, boundary: Boundary) -> Self {
        Self { boundary: vec![boundary], ..self }
    }

    /// One boundary for each of the spatial axes, first axis first.
    pub fn boundaries(self, boundaries: &[Boundary]) -> Self {
        Self { boundary: boundaries.to_vec(), ..self }
    }

    /// The dtype of the result, instead of NumPy's promotion of the two operands. Only where the result is erased
    /// ([`crate::DynArray`]) or written into an output of that dtype.
    pub fn out_dtype(self, dtype: Dtype) -> Self {
        Self { out_dtype: Some(dtype), ..self }
    }
}
