//! How to convolve: what callers choose.

use std::fmt;
use std::str::FromStr;

use super::{Accuracy, Boundary, Centre, Mode, Overflow};
use crate::{Dtype, Error, Result};

/// How the sums of a convolution are formed. With `T` taps, `ε` the unit roundoff and `c` of the order of `T` at most:
///
/// | algorithm | multiplications per output | floats are within |
/// | --- | --- | --- |
/// | `Direct` | `T` | `c·ε·Σ\|k\|\|x\|` |
/// | `Separable` | rank × sum of the kernel's lengths | `c·ε·Σ\|k\|·max\|x\|` over the window |
/// | `FastFir` | 0.56 `T` (one level), 0.32 `T` (two) in 2-D | `c·ε·Σ\|k\|·max\|x\|` over the window |
/// | `Fft` | independent of `T` | `c·ε·log₂N·‖k‖₂‖x‖₂` over a tile of `N` elements |
///
/// Integers are exact with each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Algorithm {
    /// The one that a model of the machine predicts to be fastest.
    #[default]
    Auto,
    /// One multiply-add per tap, in row-major order.
    Direct,
    /// Sums of one-dimensional passes, where the kernels are found to be of low rank.
    Separable,
    /// Nested fast FIR filters: three half-length filters for two outputs along each of the last two axes.
    FastFir,
    /// Overlap-save Fourier transforms of tiles.
    Fft,
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.to_ascii_lowercase().replace('_', "-").as_str() {
            "auto" => Ok(Self::Auto),
            "direct" => Ok(Self::Direct),
            "separable" => Ok(Self::Separable),
            "fast-fir" | "fastfir" => Ok(Self::FastFir),
            "fft" => Ok(Self::Fft),
            _ => Err(Error::invalid("algorithm", format!("{text:?}"), "auto, direct, separable, fast-fir or fft")),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Direct => "direct",
            Self::Separable => "separable",
            Self::FastFir => "fast-fir",
            Self::Fft => "fft",
        })
    }
}

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
    pub(crate) algorithm: Algorithm,
    pub(crate) accuracy: Accuracy,
    pub(crate) centre: Centre,
    pub(crate) origin: Vec<isize>,
    pub(crate) stride: Vec<usize>,
    pub(crate) dilation: Vec<usize>,
    pub(crate) groups: Option<usize>,
    pub(crate) overflow: Overflow,
}

impl Convolve {
    /// Over the last `rank` axes (1, 2 or 3; checked when used). Full mode, zero boundary.
    pub fn rank(rank: usize) -> Self {
        Self {
            rank,
            mode: Mode::Full,
            boundary: vec![Boundary::ZERO],
            out_dtype: None,
            algorithm: Algorithm::Auto,
            accuracy: Accuracy::Default,
            centre: Centre::Signal,
            origin: vec![0],
            stride: vec![1],
            dilation: vec![1],
            groups: None,
            overflow: Overflow::Error,
        }
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

    /// The algorithm, instead of the one predicted to be fastest. One that cannot do a convolution is an error of that call.
    pub fn algorithm(self, algorithm: Algorithm) -> Self {
        Self { algorithm, ..self }
    }

    /// How near the exact value float results must be; integers are always exact.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Accuracy, Backend, Convolve};
    /// let (x, k) = ([1e8f32, 1.0, -1e8], [1.0f32, 1.0, 1.0]);
    /// let y = Backend::cpu().convolve(&x, &k, &Convolve::d1().valid().accuracy(Accuracy::Exact))?;
    /// assert_eq!(y.into_vec()?, [1.0]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn accuracy(self, accuracy: Accuracy) -> Self {
        Self { accuracy, ..self }
    }

    /// Which element of the kernel lies on the output's own pixel in `same` mode.
    pub fn centre(self, centre: Centre) -> Self {
        Self { centre, ..self }
    }

    /// Shifts the centre of `same` mode by so many elements of the kernel along each spatial axis (one number: along all),
    /// as `scipy.ndimage` does: `-(k / 2) <= origin <= (k - 1) / 2` for a kernel of length `k`.
    pub fn origin(self, origin: &[isize]) -> Self {
        Self { origin: origin.to_vec(), ..self }
    }

    /// Keeps, along each spatial axis (one number: along all), every `stride`-th output of the whole, from the first one on.
    pub fn stride(self, stride: &[usize]) -> Self {
        Self { stride: stride.to_vec(), ..self }
    }

    /// Spreads the taps `dilation` elements apart along each spatial axis (one number: along all): everything is as with a
    /// kernel of length `(k - 1) * dilation + 1` that has zeros between its taps.
    pub fn dilation(self, dilation: &[usize]) -> Self {
        Self { dilation: dilation.to_vec(), ..self }
    }

    /// Sums over channels: images `[N.., C, spatial..]` with kernels `[O.., C / groups, spatial..]` give
    /// `[N.., O.., spatial'..]`, as a layer of a neural network does. Channels and kernels are taken in `groups` equal
    /// runs, each run of kernels over its run of channels; 1 sums over all channels, `C` over none.
    pub fn groups(self, groups: usize) -> Self {
        Self { groups: Some(groups), ..self }
    }

    /// What becomes of an exact integer that the result's dtype does not hold.
    pub fn overflow(self, overflow: Overflow) -> Self {
        Self { overflow, ..self }
    }
}
