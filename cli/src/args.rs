//! The command line.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use unisono::{Accuracy, Algorithm, Boundary, Centre, Dtype, Mode, Overflow};

use crate::failure::{Failure, Result};

mod monte_carlo;
mod reduce;

pub use monte_carlo::{IntegrateArgs, PiArgs};
pub use reduce::{HistogramArgs, ReduceArgs};

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

Exit codes: 0 done, 1 something failed, 2 an argument cannot be used, 130 interrupted (pi and
integrate print what they have).";

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
    /// Print JSON on one line instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// Show this device only
    #[arg(short, long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Print JSON on one line instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unisono convolve photo.jpg -o blurred.png --kernel gaussian:2
  unisono convolve photos/ -o edges/ --kernel sobel-x --boundary nearest
  unisono convolve stack.npy -o filtered.npy --kernel bank.npy --mode valid
  unisono convolve features.npy -o next.npy --kernel layer.npy --correlate --mode valid --groups 1
  unisono convolve sky.npy -o smooth.npy --kernel gaussian:2 --nan ignore --value nan

Images keep their depth (8 or 16 bits a channel) and their alpha; results are rounded to the nearest value, ties to even,
and saturated. A .npy result has NumPy's promotion of the two dtypes unless --dtype says otherwise. sobel-x and prewitt-x are
positive where brightness grows to the right, sobel-y and prewitt-y where it grows downwards; an 8-bit image keeps the positive
side only.")]
pub struct ConvolveArgs {
    /// Images, .npy arrays, or folders of them
    #[arg(required = true, value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// A file, whose extension decides the format, or a folder (created if there are several inputs)
    #[arg(short, long, value_name = "OUTPUT")]
    pub output: PathBuf,
    /// gaussian:SIGMA, box:WIDTH, sharpen, sobel-x, sobel-y, prewitt-x, prewitt-y, laplace, identity, or a .npy file
    #[arg(short, long, value_name = "KERNEL")]
    pub kernel: String,
    /// full, same or valid
    #[arg(long, default_value = "same", value_name = "MODE")]
    pub mode: Mode,
    /// Outside the image: constant, reflect, nearest, mirror or wrap (also symm, edge, replicate, reflect_101) [default: reflect]
    #[arg(long, value_name = "BOUNDARY")]
    pub boundary: Option<Boundary>,
    /// The value outside the image; implies --boundary constant
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pub value: Option<f64>,
    /// auto, direct, separable, fast-fir or fft
    #[arg(long, default_value = "auto", value_name = "ALGORITHM")]
    pub algorithm: Algorithm,
    /// How near the exact value float results are: default, elementwise or exact
    #[arg(long, default_value = "default", value_name = "ACCURACY")]
    pub accuracy: Accuracy,
    /// Which element of a kernel of even length lies on the result's own pixel in same mode: signal, as in scipy.signal's convolve
    /// and correlate, signal2d, as in its correlate2d, or ndimage, as in scipy.ndimage
    #[arg(long, default_value = "signal", value_name = "CENTRE")]
    pub centre: Centre,
    /// Shift of the kernel's centre in same mode: N or N,N
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "0", allow_hyphen_values = true)]
    pub origin: Vec<isize>,
    /// Keep every N-th row and column of the result: N or N,N
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "1")]
    pub stride: Vec<usize>,
    /// Spread the kernel's elements N pixels apart: N or N,N
    #[arg(long, value_name = "N,N", value_delimiter = ',', default_value = "1")]
    pub dilation: Vec<usize>,
    /// Sum over channels: arrays [N.., C, H, W] with a bank [O.., C/N, h, w] give [N.., O.., H, W]; not for pictures
    #[arg(long, value_name = "N", value_parser = groups)]
    pub groups: Option<usize>,
    /// What becomes of an integer that the result's dtype does not hold: error, wrap or saturate [default: error; pictures are
    /// always saturated]
    #[arg(long, value_name = "POLICY")]
    pub overflow: Option<Overflow>,
    /// NaN in arrays of floats: propagate, or ignore, which weighs what is there; --value nan leaves out what lies outside
    #[arg(long, default_value = "propagate", value_name = "NAN", hide_possible_values = true)]
    pub nan: Nan,
    /// Say on standard error where and how each image is convolved, and why
    #[arg(long)]
    pub explain: bool,
    /// Correlate: do not reverse the kernel
    #[arg(long)]
    pub correlate: bool,
    /// The dtype of .npy results: uint8, int16, float32 …
    #[arg(long, value_name = "DTYPE", value_parser = real)]
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

/// What becomes of NaN in the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Nan {
    Propagate,
    Ignore,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unisono map '(a - b)**2' a=x.npy b=y.npy --reduce sum
  unisono map 'exp(-x/tau)' x=times.npy --param tau=2.5 -o decay.npy

Syntax and precedence are Python's: numbers, names, + - * / % **, comparisons, and, or, not, and the functions abs acos
acosh asin asinh atan atan2 atanh cbrt ceil clip cos cosh erf erfc exp exp2 expm1 floor hypot log log10 log1p log2 max min mod
pow round sign sin sinh sqrt tan tanh trunc where (NumPy's names too). Arrays are broadcast. The results have the
same bits on every device, in float32 and in float64.")]
pub struct MapArgs {
    /// The expression
    #[arg(value_name = "EXPRESSION", allow_hyphen_values = true)]
    pub expression: String,
    /// The arrays: NAME=FILE.npy
    #[arg(value_name = "NAME=FILE", value_parser = OsStringValueParser::new().try_map(|text| array(&text)))]
    pub arrays: Vec<(String, PathBuf)>,
    /// The value of a parameter (repeatable): NAME=NUMBER
    #[arg(long, value_name = "NAME=NUMBER", value_parser = param)]
    pub param: Vec<(String, f64)>,
    /// Reduce the results: sum, prod, mean, var, std, min, max, ptp, argmin, argmax, norm, any, all or count_nonzero
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

/// `NAME=FILE`, of which the file may have any name.
fn array(text: &OsStr) -> Result<(String, PathBuf), String> {
    let bytes = text.as_encoded_bytes();
    let at = bytes.iter().position(|&byte| byte == b'=');
    let (name, path) = at.map(|at| (&bytes[..at], &bytes[at + 1..])).ok_or("expected NAME=FILE.npy")?;
    let name = str::from_utf8(name).map_err(|_| "expected a NAME of letters in front of =FILE.npy")?;
    // SAFETY: the bytes are those of an OsStr, cut after an ASCII character.
    let path = unsafe { OsString::from_encoded_bytes_unchecked(path.to_vec()) };
    Ok((name.into(), path.into()))
}

/// `NAME=NUMBER`.
fn param(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=NUMBER")?;
    Ok((name.into(), value.parse().map_err(|_| format!("{value:?} is not a number"))?))
}

/// Refuses a parameter that has two values.
pub fn once(params: &[(String, f64)]) -> Result<()> {
    let twice = params.iter().enumerate().find(|(i, (name, _))| params[..*i].iter().any(|(earlier, _)| earlier == name));
    match twice {
        Some((_, (name, _))) => Err(Failure::usage(format!("--param: got `{name}` twice, expected every name once"))),
        None => Ok(()),
    }
}

/// A number of groups.
fn groups(text: &str) -> Result<usize, String> {
    let groups = text.parse().ok().filter(|&groups| groups > 0);
    groups.ok_or_else(|| format!("got {text:?}, expected a whole number of at least 1"))
}

/// A dtype of real numbers.
fn real(text: &str) -> Result<Dtype, String> {
    match text.parse::<Dtype>() {
        Ok(dtype) if dtype.is_complex() => Err(format!("got {dtype}, expected a real dtype")),
        other => other.map_err(|error| error.to_string()),
    }
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
    /// Print JSON on one line instead of text
    #[arg(long)]
    pub json: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
