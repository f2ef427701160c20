//! What `integrate` and `pi` take.

use std::path::PathBuf;

use clap::Args;
use unisono::{Dtype, IntegralMethod, PiMethod};

use super::{Common, param};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unisono integrate 'exp(-(x*x + y*y))' x=0:1 y=0:1
  unisono integrate 'x*x + y*y <= r*r' x=-2:2 y=-2:2 --param r=2 --relative-error 1e-4 -n 1e10
  unisono integrate 'exp(-1e4*((x - 0.3)**2 + (y - 0.6)**2))' x=0:1 y=0:1 --method vegas
  unisono integrate 'exp(x*y*z)' x=0:1 y=0:1 z=0:1 --method sobol --dtype float64 --relative-error 1e-8
  unisono integrate 'exp(-x*x*y)' x=0:1 y=0:9 -n 1e12 --checkpoint integral.state
  unisono integrate --wgsl integrand.wgsl x=0:1 y=0:1 --param s=2 -d gpu

With --wgsl the file has a function `integrand` of as many f32 as there are bounds, which gives an f32, and what that needs;
parameters are variables of their names. Its values, and so the last digits of the result, are the device's own.

Syntax as in `unisono map --help`. The exit code is 1 if a target error was not reached. Ctrl-C ends the run early: what the
samples drawn so far say is printed (exit code 0). With --checkpoint a run goes on where the file says that an earlier one ended,
whatever ended it.")]
pub struct IntegrateArgs {
    /// The integrand; with --wgsl, a file
    #[arg(value_name = "EXPRESSION", allow_hyphen_values = true)]
    pub expression: String,
    /// The integrand is a file in WGSL, the language of shaders, for GPUs
    #[arg(long)]
    pub wgsl: bool,
    /// The box: NAME=FROM:TO for every coordinate
    #[arg(required = true, value_name = "NAME=FROM:TO", value_parser = bound)]
    pub bounds: Vec<(String, f64, f64)>,
    /// The value of a parameter (repeatable): NAME=NUMBER
    #[arg(long, value_name = "NAME=NUMBER", value_parser = param)]
    pub param: Vec<(String, f64)>,
    /// How many samples to draw; with a target error, at most [default: 1e7 (in Python and Rust 2^20); of sobol, best with powers of
    /// two, 2^23]
    #[arg(short = 'n', long, value_name = "N", value_parser = samples, allow_negative_numbers = true)]
    pub samples: Option<u64>,
    /// Stop at this standard error
    #[arg(long, alias = "error", default_value_t = 0.0, value_name = "ERROR")]
    pub absolute_error: f64,
    /// Stop at this standard error over the estimate
    #[arg(long, default_value_t = 0.0, value_name = "ERROR")]
    pub relative_error: f64,
    /// The seed of the random numbers
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    pub seed: u64,
    /// float32 or float64
    #[arg(long, default_value = "float32", value_name = "DTYPE")]
    pub dtype: Dtype,
    /// How points are chosen: plain (independently), vegas (importance sampling, for peaks) or sobol (scrambled Sobol points, for
    /// smooth integrands: the error falls faster)
    #[arg(long, default_value = "plain", value_name = "METHOD")]
    pub method: IntegralMethod,
    /// Samples between two looks at the error; of vegas, between two grids; of sobol, before the first look, then twice as many
    #[arg(long, value_name = "N", value_parser = samples)]
    pub round: Option<u64>,
    /// Keep the samples drawn so far in this file, and go on from it if it is there
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Seconds between writes of the checkpoint
    #[arg(long, default_value_t = 10, value_name = "SECONDS", requires = "checkpoint")]
    pub checkpoint_every: u64,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Ctrl-C ends the run early: the estimate from the samples drawn so far is printed (exit code 0).
With --checkpoint a run goes on where the file says that an earlier one ended, whatever ended it.

Examples:
  unisono pi --samples 1e13 --checkpoint pi.state
  unisono pi --standard-error 1e-6 --device all
  unisono pi --method sobol --standard-error 1e-8
  unisono pi -n 1e9 --seed 7 --device cpu+gpu:0 --json")]
pub struct PiArgs {
    /// How many samples to draw: 1000000, 10_000_000, 1e9, 2.5e6 … [default: without --standard-error 1e9; of sobol, best with powers
    /// of two, 2^30]
    #[arg(short = 'n', long, value_name = "N", value_parser = samples, allow_negative_numbers = true)]
    pub samples: Option<u64>,
    /// Draw until the standard error is at most this: the same samples on every device
    #[arg(long, value_name = "ERROR", conflicts_with = "samples", allow_negative_numbers = true)]
    pub standard_error: Option<f64>,
    /// How points are placed: plain, antithetic, reflected (in both axes), stratified (in 65,536 cells), sobol (sequences with
    /// random shifts)
    #[arg(short, long, default_value = "plain", value_name = "METHOD")]
    pub method: PiMethod,
    /// Bits of a coordinate, 16 or 32 (16 unless the method is sobol): more bits, less bias
    #[arg(long, value_name = "BITS")]
    pub bits: Option<u32>,
    /// The seed of the random numbers
    #[arg(long, default_value_t = 0, value_name = "SEED")]
    pub seed: u64,
    /// Keep the samples drawn so far in this file, and go on from it if it is there
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Seconds between writes of the checkpoint
    #[arg(long, default_value_t = 10, value_name = "SECONDS", requires = "checkpoint")]
    pub checkpoint_every: u64,
    #[command(flatten)]
    pub common: Common,
}

/// `NAME=FROM:TO`.
fn bound(text: &str) -> Result<(String, f64, f64), String> {
    let parts = text.split_once('=').and_then(|(name, range)| Some((name, range.split_once(':')?)));
    let (name, (from, to)) = parts.ok_or("expected NAME=FROM:TO, as in x=0:1")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is not a number"));
    Ok((name.into(), number(from)?, number(to)?))
}

/// A count written as an integer, with `_` between digits or with a decimal exponent, read exactly.
fn samples(text: &str) -> Result<u64, String> {
    let wrong = |why: &str| Err(format!("{why}; write a whole number of at least 1, as 1000000, 10_000_000 or 1e9"));
    if text.starts_with('-') {
        return wrong("negative");
    }
    let lower = text.trim_start_matches('+').to_ascii_lowercase();
    let (number, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let Ok(exponent) = exponent.trim_start_matches('+').parse::<i64>() else {
        return wrong("not a number");
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut digits: String = [whole, fraction].concat().chars().filter(|&c| c != '_').collect();
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return wrong("not a number");
    }
    let mut shift = exponent.saturating_sub(fraction.chars().filter(|&c| c != '_').count() as i64);
    while shift < 0 && digits.len() > 1 && digits.ends_with('0') {
        digits.pop();
        shift += 1;
    }
    if digits.bytes().all(|c| c == b'0') {
        return wrong("zero");
    }
    if shift < 0 {
        return wrong("not a whole number");
    }
    let power = u32::try_from(shift).ok().and_then(|shift| 10u64.checked_pow(shift));
    let value = digits.parse::<u64>().ok().zip(power).and_then(|(d, p)| d.checked_mul(p));
    match value {
        Some(value) => Ok(value),
        None => wrong("more than 18446744073709551615"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_exactly() {
        let good = [
            ("1", 1),
            ("10_000_000", 10_000_000),
            ("1e9", 1_000_000_000),
            ("1E+3", 1000),
            ("2.5e6", 2_500_000),
            ("1.0", 1),
            ("100e-2", 1),
            ("18446744073709551615", u64::MAX),
            ("1.8446744073709551615e19", u64::MAX),
        ];
        for (text, value) in good {
            assert_eq!(samples(text), Ok(value), "{text}");
        }
        for text in
            ["", "e", "e9", "1.5", "-1", "-1e9", "0", "0e9", "1e20", "18446744073709551616", "1e-1", "ten", "1e9.5", "1 000"]
        {
            assert!(samples(text).is_err(), "{text}");
        }
        for exponent in [i64::MIN, i32::MIN.into(), i64::from(i32::MIN) + 1] {
            assert!(samples(&format!("1.5e{exponent}")).is_err_and(|text| text.contains("not a whole number")), "{exponent}");
        }
        for exponent in [i64::MAX, i32::MAX.into(), 1 << 32] {
            assert!(samples(&format!("1e{exponent}")).is_err_and(|text| text.contains("more than")), "{exponent}");
        }
    }
}
