//! What becomes of an exact integer that the result's dtype does not hold.

use std::fmt;
use std::str::FromStr;

use crate::{Error, Result};

/// What becomes of an exact integer result that its dtype does not hold.
///
/// It concerns integer operands and an integer result. Float operands with an integer result are rounded to nearest (ties
/// to even) and saturated, NaN becomes 0, whatever the policy; [`Wrap`](Self::Wrap) is refused for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// [`Error::Overflow`].
    #[default]
    Error,
    /// The value modulo 2^bits, in two's complement, as NumPy's integer arithmetic gives it.
    Wrap,
    /// The nearest value of the dtype.
    Saturate,
}

impl FromStr for Overflow {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "error" => Ok(Self::Error),
            "wrap" => Ok(Self::Wrap),
            "saturate" | "clip" => Ok(Self::Saturate),
            _ => Err(Error::invalid("overflow", format!("{text:?}"), "error, wrap or saturate")),
        }
    }
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Wrap => "wrap",
            Self::Saturate => "saturate",
        })
    }
}
