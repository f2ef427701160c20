//! How near the exact value a float result must be.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// How near the exact value `Σ k·x` the results of float operands must be. Integer operands are exact in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Accuracy {
    /// Within the documented bound of whatever algorithm is used.
    #[default]
    Default,
    /// Within `c · ε · Σ|k||x|` of each output's own taps: only algorithms with such a bound are used.
    Elementwise,
    /// The exact value, rounded once to nearest, ties to even: the same bits on every device, for any number of threads,
    /// tile and split. An exact zero is +0, a NaN the canonical one.
    Exact,
}

impl FromStr for Accuracy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "default" => Ok(Self::Default),
            "elementwise" => Ok(Self::Elementwise),
            "exact" => Ok(Self::Exact),
            _ => Err(Error::invalid("accuracy", format!("{text:?}"), "default, elementwise or exact")),
        }
    }
}

impl fmt::Display for Accuracy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "default",
            Self::Elementwise => "elementwise",
            Self::Exact => "exact",
        })
    }
}
