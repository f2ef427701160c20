//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use unisono::{
    Accuracy, Algorithm, Boundary, Dtype, IntegralMethod, Mode, NormOrder, Overflow, PiMethod, QuantileMethod, Scalar, SumMode,
};

use crate::order::Op;

/// Convolution, exact reductions and Monte Carlo on every CPU and GPU: one call, any device, one answer.
#[derive(Debug, Parser)]
#[command(name = "unisono", version, arg_required_else_help = true, after_help = DEVICES, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

const DEVICES: &str = "Devices (--device, and the environment variable UNISONO_DEVICE for `auto`):
  auto         the fastest for each piece of work, by measurement
  cpu, cpu:4   the processor, or so many of its threads
  gpu, gpu:1   a GPU in the order of `unisono devices`; gpu:NVIDIA picks by name
  cpu+gpu:0    several devices that share the work; `all` is the CPU and every hardware GPU

Exit codes: 0 done, 1 something failed, 2 an argument cannot be used, 130 interrupted.";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the devices, and which of them `auto` takes and why
    Devices(DevicesArgs),
    /// Filter images and arrays: PNG, JPEG, TIFF and .npy, single files or folders
    Convolve(ConvolveArgs),
    /// Reduce .npy files of any size, or folders of them: exact sums, means and deviations, extremes, counts, quantiles; or scan one
    Reduce(ReduceArgs),
    /// Count the elements of a .npy file between edges
    Histogram(HistogramArgs),
    /// Evaluate an expression at every element of .npy files, or reduce its results
    Map(MapArgs),
    /// Integrate an expression over a box by Monte Carlo, to a number of samples or a target error
    Integrate(IntegrateArgs),
    /// Estimate π by Monte Carlo; the hits are the same on every device
    Pi(PiArgs),
    /// Race every device on the same work and compare the answers bit by bit
    Compare(CompareArgs),
}

#[derive(Debug, Args)]
pub struct Common {
    /// Where to compute: auto, cpu, cpu:4, gpu, gpu:1, gpu:NAME, cpu+gpu:0, all
    #[arg(short, long, default_value = "auto", value_name = "DEVICE")]
    pub device: String,
    /// Memory that a device may take: 512MiB, 2GB … What does not fit is streamed piece by piece
    #[arg(long, value_name = "SIZE", value_parser = crate::size::bytes)]
    pub memory: Option<u64>,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// Show this device only
    #[arg(short, long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unisono convolve photo.jpg -o blurred.png --kernel gaussian:2
  unisono convolve photos/ -o edges/ --kernel sobel-x --boundary nearest
  unisono convolve stack.npy -o filtered.npy --kernel bank.npy --mode valid

Images keep their depth (8 or 16 bits a channel) and their alpha; results are rounded to the nearest value, ties to even,
and saturated. A .npy result has NumPy's promotion of the two dtypes unless --dtype says otherwise. sobel-x is positive
where brightness grows to the right, sobel-y where it grows downwards; an 8-bit image keeps the positive side only.")]
pub struct ConvolveArgs {
    /// Images, .npy arrays, or folders of them
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// A file, whose extension decides the format, or a folder (created if there are several inputs)
    #[arg(short, long, value_name = "OUTPUT")]
    pub output: PathBuf,
    /// gaussian:SIGMA, box:WIDTH, sharpen, sobel-x, sobel-y, laplace, identity, or a .npy file
    #[arg(short, long, value_name = "KERNEL")]
    pub kernel: String,
    /// full, same or valid
    #[arg(long, default_value = "same", value_name = "MODE")]
    pub mode: Mode,
    /// Outside the image: constant, reflect, nearest, mirror or wrap (also symm, edge, replicate, reflect_101)
    #[arg(long, default_value = "reflect", value_name = "BOUNDARY")]
    pub boundary: Boundary,
    /// The value outside the image; implies --boundary constant
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub value: Option<f64>,
    /// auto, direct, separable, fast-fir or fft
    #[arg(long, default_value = "auto", value_name = "ALGORITHM")]
    pub algorithm: Algorithm,
    /// How near the exact value float results are: default, elementwise or exact
    #[arg(long, default_value = "default", value_name = "ACCURACY")]
    pub accuracy: Accuracy,
    /// Shift of the kernel's centre in same mode: N or N,N
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "0", allow_hyphen_values = true)]
    pub origin: Vec<isize>,
    /// Keep every N-th row and column of the result: N or N,N
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "1")]
    pub stride: Vec<usize>,
    /// Spread the kernel's elements N pixels apart: N or N,N
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "1")]
    pub dilation: Vec<usize>,
    /// Say on standard error where and how each image is convolved, and why
    #[arg(long)]
    pub explain: bool,
    /// Correlate: do not reverse the kernel
    #[arg(long)]
    pub correlate: bool,
    /// The dtype of .npy results: uint8, int16, float32 …
    #[arg(long, value_name = "DTYPE")]
    pub dtype: Option<Dtype>,
    /// Let a result replace one of the inputs
    #[arg(long)]
    pub overwrite: bool,
    /// Quality of JPEG output, 1 to 100
    #[arg(long, default_value_t = 92, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub quality: u8,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unisono reduce huge.npy --op sum
  unisono reduce stack.npy --op mean --axis 0 -o average.npy
  unisono reduce x.npy --op argmax --axis 0,-1 --keepdims --json
  unisono reduce week/ --op std --ddof 1 --skip-nan
  unisono reduce x.npy --op quantile:0.9 --axis 0
  unisono reduce x.npy --op quantile:0.5 --weights w.npy
  unisono reduce x.npy y.npy --op dot
  unisono reduce x.npy --op mean --where mask.npy
  unisono reduce week/ --op max --where valid/ --initial 0
  unisono reduce x.npy --op var --labels regions.npy
  unisono reduce x.npy --op topk:10 --json

Files are mapped, not read: they may be larger than memory. Several files, and the .npy files of folders in the order of their
names, count as one array whose first axis they share out. Sums, means, variances and deviations are exact and rounded
once, so the answer depends neither on the device nor on how the data is cut. Floats are printed with the digits that give
the same bits back.")]
pub struct ReduceArgs {
    /// .npy files, and folders of them
    #[arg(required = true, value_name = "FILE.npy|DIR")]
    pub files: Vec<PathBuf>,
    /// sum, prod, mean, var, std, min, max, ptp, argmin, argmax, norm, any, all, count_nonzero; of one file median, quantile:0.9, percentile:90 (with `nan` in
    /// front: NaN passed over), topk:10; cumsum, cumprod, cummin, cummax; logsumexp; of two files dot
    #[arg(long, value_name = "OP")]
    pub op: Op,
    /// The axes to reduce over (repeatable, or a list: 0,-1); all of them if not given
    #[arg(long, value_name = "AXIS", value_delimiter = ',', allow_negative_numbers = true, allow_hyphen_values = true)]
    pub axis: Vec<isize>,
    /// Leave the reduced axes in the result with length 1
    #[arg(long)]
    pub keepdims: bool,
    /// The order of --op norm: 2, 1, inf, -inf, 0 or another number
    #[arg(long, value_name = "ORDER", allow_hyphen_values = true)]
    pub ord: Option<NormOrder>,
    /// What var and std take off the count
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub ddof: u64,
    /// Pass over NaN
    #[arg(long)]
    pub skip_nan: bool,
    /// What sum, prod, min and max start from, as one element more: a number
    #[arg(long, value_name = "NUMBER", value_parser = number, allow_hyphen_values = true)]
    pub initial: Option<Scalar>,
    /// Reduce only the elements that this .npy file of bool is true for, or those of the same names in this folder; of the
    /// shape of the whole, or of each file (not for scans)
    #[arg(long = "where", value_name = "MASK.npy|DIR")]
    pub mask: Option<PathBuf>,
    /// A result for every label in this .npy file of integers, or in those of the same names in this folder: sum, mean, var, std,
    /// median, min, max, argmin, argmax
    #[arg(long, value_name = "LABELS.npy|DIR")]
    pub labels: Option<PathBuf>,
    /// The labels that a result is wanted for (repeatable, or a list: 1,2,7); all that occur if not given
    #[arg(
        long,
        value_name = "LABEL",
        value_delimiter = ',',
        allow_negative_numbers = true,
        allow_hyphen_values = true,
        requires = "labels"
    )]
    pub index: Vec<i64>,
    /// How much each element counts, in a .npy file that broadcasts to the array: of quantiles, by --method inverted_cdf
    #[arg(long, value_name = "WEIGHTS.npy", conflicts_with = "mask")]
    pub weights: Option<PathBuf>,
    /// Of quantiles, what lies between two elements: linear, hazen, nearest … (NumPy's names); inverted_cdf with weights
    #[arg(long, value_name = "METHOD")]
    pub method: Option<QuantileMethod>,
    /// Of sum and mean: exact, or fast, which is not reproducible
    #[arg(long, default_value = "exact", value_name = "MODE")]
    pub mode: SumMode,
    /// Of topk, the smallest elements
    #[arg(long)]
    pub smallest: bool,
    /// Of scans, each result without its own element
    #[arg(long)]
    pub exclusive: bool,
    /// Of scans, the value of nothing in front of all results
    #[arg(long, conflicts_with = "exclusive")]
    pub include_initial: bool,
    /// Of scans, from the last element to the first
    #[arg(long)]
    pub reverse: bool,
    /// The dtype of the result: float32, int64 …
    #[arg(long, value_name = "DTYPE")]
    pub dtype: Option<Dtype>,
    /// What becomes of an integer that the result's dtype does not hold: error, wrap or saturate
    #[arg(long, default_value = "error", value_name = "POLICY")]
    pub overflow: Overflow,
    /// Write the result to this .npy file instead of printing it
    #[arg(short, long, value_name = "FILE.npy")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unisono histogram x.npy --bins 20
  unisono histogram x.npy --edges 0,0.1,1,10 --weights w.npy --json

Bins are half open, the last one is closed; elements outside of all, and NaN, are passed over. Weights are summed exactly.")]
pub struct HistogramArgs {
    /// The .npy file
    #[arg(value_name = "FILE.npy")]
    pub file: PathBuf,
    /// How many bins of equal width
    #[arg(long, default_value_t = 10, value_name = "N", conflicts_with = "edges")]
    pub bins: usize,
    /// From where to where, instead of from the smallest to the largest element
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', allow_hyphen_values = true, conflicts_with = "edges")]
    pub range: Vec<f64>,
    /// The edges of the bins
    #[arg(long, value_name = "X,X,X", value_delimiter = ',', allow_hyphen_values = true)]
    pub edges: Vec<f64>,
    /// Sum these weights, a .npy file of the same shape, instead of counting
    #[arg(long, value_name = "FILE.npy")]
    pub weights: Option<PathBuf>,
    /// Divide by the bins' widths and the sum of all
    #[arg(long)]
    pub density: bool,
    /// Write the result to this .npy file instead of printing it
    #[arg(short, long, value_name = "FILE.npy")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unisono map '(a - b)**2' a=x.npy b=y.npy --reduce sum
  unisono map 'exp(-x/tau)' x=times.npy --param tau=2.5 -o decay.npy

Syntax and precedence are Python's: numbers, names, + - * / % **, comparisons, and, or, not, and the functions abs acos
acosh asin asinh atan atan2 atanh cbrt ceil clip cos cosh erf erfc exp exp2 expm1 floor hypot log log10 log1p log2 max min mod
pow round sign sin sinh sqrt tan tanh trunc where (NumPy's names too). Arrays are broadcast. float32 has the same
bits on every device; float64 is computed on CPUs.")]
pub struct MapArgs {
    /// The expression
    #[arg(value_name = "EXPRESSION", allow_hyphen_values = true)]
    pub expression: String,
    /// The arrays: NAME=FILE.npy
    #[arg(value_name = "NAME=FILE", value_parser = array)]
    pub arrays: Vec<(String, PathBuf)>,
    /// The value of a parameter (repeatable): NAME=NUMBER
    #[arg(long, value_name = "NAME=NUMBER", value_parser = param)]
    pub param: Vec<(String, f64)>,
    /// Reduce the results: sum, prod, min, max, mean, argmin, argmax, any, all or count_nonzero
    #[arg(long, value_name = "OP")]
    pub reduce: Option<unisono::ReduceOp>,
    /// float32 or float64, in which everything is computed
    #[arg(long, value_name = "DTYPE")]
    pub dtype: Option<Dtype>,
    /// Write the result to this .npy file instead of printing it
    #[arg(short, long, value_name = "FILE.npy")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unisono integrate 'exp(-(x*x + y*y))' x=0:1 y=0:1
  unisono integrate 'x*x + y*y <= r*r' x=-2:2 y=-2:2 --param r=2 --relative-error 1e-4 -n 1e10
  unisono integrate 'exp(-1e4*((x - 0.3)**2 + (y - 0.6)**2))' x=0:1 y=0:1 --method vegas
  unisono integrate 'exp(x*y*z)' x=0:1 y=0:1 z=0:1 --method sobol --dtype float64 --relative-error 1e-9
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
    /// How many samples to draw; with a target error, at most
    #[arg(short = 'n', long, default_value = "1e7", value_name = "N", value_parser = samples, allow_negative_numbers = true)]
    pub samples: u64,
    /// Stop at this standard error
    #[arg(long, default_value_t = 0.0, value_name = "ERROR")]
    pub error: f64,
    /// Stop at this standard error over the estimate
    #[arg(long, default_value_t = 0.0, value_name = "ERROR")]
    pub relative_error: f64,
    /// The seed of the random numbers
    #[arg(long, default_value_t = 42, value_name = "SEED")]
    pub seed: u64,
    /// float32 or float64 (CPUs)
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

/// `NAME=FILE`.
fn array(text: &str) -> Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("expected NAME=FILE.npy")?;
    Ok((name.into(), path.into()))
}

/// `NAME=NUMBER`.
fn param(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=NUMBER")?;
    Ok((name.into(), value.parse().map_err(|_| format!("{value:?} is not a number"))?))
}

/// `NAME=FROM:TO`.
fn bound(text: &str) -> Result<(String, f64, f64), String> {
    let parts = text.split_once('=').and_then(|(name, range)| Some((name, range.split_once(':')?)));
    let (name, (from, to)) = parts.ok_or("expected NAME=FROM:TO, as in x=0:1")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text:?} is not a number"));
    Ok((name.into(), number(from)?, number(to)?))
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
    /// How many samples to draw (1e9 if neither this nor --standard-error is given): 1000000, 10_000_000, 1e9, 2.5e6
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
    #[arg(long, default_value_t = 42, value_name = "SEED")]
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

#[derive(Debug, Args)]
#[command(
    after_help = "Each time is the median of a few runs from data in host memory to the answer in host memory; the first call, which
also compiles shaders and wakes the device, is reported apart, and so is the time on data that already lies on a GPU.
The exit code is 1 if an answer that is promised to be identical is not, or if a device fails."
)]
pub struct CompareArgs {
    /// The devices to compare (repeatable, or a list: cpu,gpu:0,cpu+gpu:0); all of them if not given
    #[arg(short, long, value_name = "DEVICE", value_delimiter = ',')]
    pub device: Vec<String>,
    /// Small sizes: a first impression within seconds
    #[arg(long)]
    pub quick: bool,
    /// Include software GPUs even where there is a hardware GPU
    #[arg(long)]
    pub software: bool,
    /// Write report.json, chart.svg and chart.png into this folder
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// A count written as an integer, with `_` between digits or with a decimal exponent, read exactly.
fn samples(text: &str) -> Result<u64, String> {
    let wrong = |why: &str| Err(format!("{why}; write a whole number of at least 1, as 1000000, 10_000_000 or 1e9"));
    if text.starts_with('-') {
        return wrong("negative");
    }
    let lower = text.trim_start_matches('+').to_ascii_lowercase();
    let (number, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let Ok(exponent) = exponent.trim_start_matches('+').parse::<i32>() else {
        return wrong("not a number");
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let mut digits: String = [whole, fraction].concat().chars().filter(|&c| c != '_').collect();
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return wrong("not a number");
    }
    let mut shift = exponent - fraction.chars().filter(|&c| c != '_').count() as i32;
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
    let value = digits.parse::<u64>().ok().zip(10u64.checked_pow(shift as u32)).and_then(|(d, p)| d.checked_mul(p));
    match value {
        Some(value) => Ok(value),
        None => wrong("more than 18446744073709551615"),
    }
}

/// A number that a reduction starts from: an integer, or a float.
fn number(text: &str) -> Result<Scalar, String> {
    match (text.parse::<i128>(), text.parse::<f64>()) {
        (Ok(integer), _) => Ok(Scalar::Integer(integer)),
        (_, Ok(float)) => Ok(Scalar::Float(float)),
        _ => Err(format!("got {text:?}, expected a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

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
    }
}
