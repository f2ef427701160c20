//! Modes, boundaries, centres, and the names they have in SciPy, NumPy and OpenCV.

use std::fmt;
use std::str::FromStr;

use num_complex::Complex64;

use super::Direction;
use crate::{Error, Result};

/// How much of the result is kept, as in `scipy.signal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Mode {
    /// Every output that any tap reaches: `n + k - 1` along each axis.
    #[default]
    Full,
    /// The central part of the full result, as large as the image.
    Same,
    /// The outputs that need no boundary: `max(n, k) - min(n, k) + 1`. One operand, image or kernel, must be at least as
    /// large as the other along every axis; the boundary is not used.
    Valid,
}

/// Which element of a kernel of length `k` lies on the output's own pixel in `same` mode: SciPy has three conventions, which
/// differ for even `k` only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Centre {
    /// Element `(k - 1) / 2` to convolve, `k / 2` to correlate: `scipy.signal.convolve`, `convolve2d` and `correlate`.
    #[default]
    Signal,
    /// Element `(k - 1) / 2` for both: `scipy.signal.convolve2d` and `correlate2d`.
    Signal2d,
    /// Element `k / 2` for both: `scipy.ndimage.convolve` and `correlate`.
    Ndimage,
}

impl Centre {
    /// The element, of a kernel of length `k`.
    pub(super) fn element(self, k: usize, direction: Direction) -> usize {
        match (self, direction) {
            (Self::Signal, Direction::Convolve) | (Self::Signal2d, _) => (k - 1) / 2,
            (Self::Signal, Direction::Correlate) | (Self::Ndimage, _) => k / 2,
        }
    }
}

impl FromStr for Centre {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "signal" => Ok(Self::Signal),
            "signal2d" => Ok(Self::Signal2d),
            "ndimage" => Ok(Self::Ndimage),
            _ => Err(Error::invalid("centre", format!("{text:?}"), "signal, signal2d or ndimage")),
        }
    }
}

impl fmt::Display for Centre {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signal => "signal",
            Self::Signal2d => "signal2d",
            Self::Ndimage => "ndimage",
        })
    }
}

/// What lies outside the image, named as in `scipy.ndimage`. For a line `a b c d`:
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Boundary {
    /// `v v | a b c d | v v`; zero unless another value is given.
    Constant(f64),
    /// A constant with a real and an imaginary part, outside of complex images.
    ConstantComplex(f64, f64),
    /// `b a | a b c d | d c`: mirrored about the edge (NumPy's `symmetric`, SciPy signal's `symm`, OpenCV's `REFLECT`).
    Reflect,
    /// `a a | a b c d | d d` (NumPy's `edge`, OpenCV's `REPLICATE`).
    Nearest,
    /// `c b | a b c d | c b`: mirrored about the centre of the last element (NumPy's `reflect`, OpenCV's `REFLECT_101`).
    Mirror,
    /// `c d | a b c d | a b` (SciPy signal's `wrap`, OpenCV's `WRAP`).
    Wrap,
}

impl Default for Boundary {
    /// Zero outside.
    fn default() -> Self {
        Self::ZERO
    }
}

impl Boundary {
    /// Zero outside: the default.
    pub const ZERO: Self = Self::Constant(0.0);

    /// The index inside `0..n` that the index `i` of the extended line reads, or `None` for a constant.
    ///
    /// Exact for any distance: the extension repeats with period `n` (wrap), `2n` (reflect) or `2n - 2` (mirror).
    pub fn source(self, i: isize, n: usize) -> Option<usize> {
        let len = n as isize;
        if (0..len).contains(&i) {
            return Some(i as usize);
        }
        if n == 0 {
            return None;
        }
        let folded = match self {
            Self::Constant(_) | Self::ConstantComplex(..) => return None,
            Self::Nearest => i.clamp(0, len - 1),
            Self::Wrap => i.rem_euclid(len),
            Self::Reflect => {
                let j = i.rem_euclid(2 * len);
                j.min(2 * len - 1 - j)
            }
            Self::Mirror if n == 1 => 0,
            Self::Mirror => {
                let j = i.rem_euclid(2 * len - 2);
                j.min(2 * len - 2 - j)
            }
        };
        Some(folded as usize)
    }

    /// The value outside, for the constant boundaries; of a complex constant its real part.
    pub fn fill(self) -> f64 {
        match self {
            Self::Constant(value) | Self::ConstantComplex(value, _) => value,
            _ => 0.0,
        }
    }

    /// The imaginary part of the value outside, for the constant boundaries.
    pub fn fill_imaginary(self) -> f64 {
        if let Self::ConstantComplex(_, value) = self { value } else { 0.0 }
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "full" => Ok(Self::Full),
            "same" => Ok(Self::Same),
            "valid" => Ok(Self::Valid),
            _ => Err(Error::invalid("mode", format!("{text:?}"), "full, same or valid")),
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Same => "same",
            Self::Valid => "valid",
        })
    }
}

impl FromStr for Boundary {
    type Err = Error;

    /// Reads SciPy's names and the aliases of scipy.signal and OpenCV; `constant:1.5` sets the value, `constant:1.5-2j` a
    /// complex one.
    fn from_str(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("cv2.").unwrap_or(&lower);
        let name = name.strip_prefix("border_").unwrap_or(name);
        if let Some(value) = name.strip_prefix("constant:") {
            if let Ok(value) = value.parse() {
                return Ok(Self::Constant(value));
            }
            let value: Complex64 =
                value.parse().map_err(|_| Error::invalid("boundary value", format!("{value:?}"), "a number: 1.5, or 1.5-2j"))?;
            return Ok(Self::ConstantComplex(value.re, value.im));
        }
        match name {
            "constant" | "zero" | "fill" | "grid-constant" => Ok(Self::ZERO),
            "reflect" | "symm" | "symmetric" | "grid-mirror" => Ok(Self::Reflect),
            "nearest" | "edge" | "replicate" => Ok(Self::Nearest),
            "mirror" | "reflect_101" | "reflect101" => Ok(Self::Mirror),
            "wrap" | "circular" | "grid-wrap" => Ok(Self::Wrap),
            _ => Err(Error::invalid(
                "boundary",
                format!("{text:?}"),
                "constant, constant:VALUE, reflect, nearest, mirror or wrap (also symm, edge, replicate, reflect_101)",
            )),
        }
    }
}

impl fmt::Display for Boundary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(0.0) => f.write_str("constant"),
            Self::Constant(value) => write!(f, "constant:{value}"),
            Self::ConstantComplex(re, im) => write!(f, "constant:{re}{im:+}j"),
            Self::Reflect => f.write_str("reflect"),
            Self::Nearest => f.write_str("nearest"),
            Self::Mirror => f.write_str("mirror"),
            Self::Wrap => f.write_str("wrap"),
        }
    }
}
