//! Integrands that are code: a function of Rust for CPUs, one in WGSL for GPUs.

use std::fmt;
use std::sync::Arc;

use crate::{Error, Expression, Result};

/// What a function of Rust is called with: a point, a number per coordinate.
pub(crate) type Function = Arc<dyn Fn(&[f64]) -> f64 + Send + Sync>;

/// An integrand that is code.
#[derive(Clone)]
pub(crate) enum Native {
    /// A function of Rust under a name; without it where the problem was read from bytes.
    Rust { name: Arc<str>, function: Option<Function> },
    /// WGSL with a function `integrand`.
    Wgsl(Arc<str>),
}

const RUST: &str = "fn ";
const WGSL: &str = "wgsl\n";

impl Native {
    /// The one that a text stands for, which no expression has.
    pub(super) fn of_text(text: &str) -> Option<Self> {
        let rust = text.strip_prefix(RUST).map(|name| Self::Rust { name: name.into(), function: None });
        rust.or_else(|| text.strip_prefix(WGSL).map(|source| Self::Wgsl(source.into())))
    }

    /// What stands in the place of the expression: no value, and a text by which problems are told apart.
    pub(super) fn expression(&self) -> Expression {
        Expression::placeholder(match self {
            Self::Rust { name, .. } => format!("{RUST}{name}"),
            Self::Wgsl(source) => format!("{WGSL}{source}"),
        })
    }

    /// The function of Rust.
    ///
    /// # Errors
    /// [`Error::Invalid`] for WGSL, and where the function is not known.
    pub(crate) fn function(&self, device: &str) -> Result<Function> {
        match self {
            Self::Rust { function: Some(function), .. } => Ok(function.clone()),
            Self::Rust { name, function: None } => {
                let expected = "its function: the problem that it came from, given to `integrate_into` or `integrate_saved`";
                Err(Error::invalid("integrand", format!("the name `{name}`, read from bytes"), expected))
            }
            Self::Wgsl(_) => Err(self.unsupported(device)),
        }
    }

    /// The error of a device that does not run it.
    pub(crate) fn unsupported(&self, device: &str) -> Error {
        match self {
            Self::Rust { name, .. } => {
                Error::invalid(format!("device for the integrand `{name}`, a function of Rust"), device, "CPUs, such as \"cpu\"")
            }
            Self::Wgsl(_) => Error::invalid("device for an integrand in WGSL", device, "GPUs, such as \"gpu\" or \"gpu:0\""),
        }
    }
}

/// The parameters of WGSL, if their names can be such there.
///
/// # Errors
/// [`Error::Invalid`] for other names, and values that are no finite numbers of binary32: what shaders make of others is up to the
/// device.
pub(super) fn parameters(params: &[(String, f64)]) -> Result<Vec<(String, f64)>> {
    for (name, value) in params {
        let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !word || name == "_" || name.starts_with("__") || name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
            return Err(Error::invalid("parameter of an integrand in WGSL", format!("`{name}`"), "a name such as `scale`"));
        }
        if !(*value as f32).is_finite() {
            let what = format!("parameter `{name}` of an integrand in WGSL");
            return Err(Error::invalid(what, value, "a finite number of float32"));
        }
    }
    Ok(params.to_vec())
}

impl PartialEq for Native {
    /// Functions of Rust are known by their names.
    fn eq(&self, other: &Self) -> bool {
        self.expression().text() == other.expression().text()
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expression().text())
    }
}
