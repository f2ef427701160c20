//! What `reduce` and `histogram` take.

use std::path::PathBuf;

use clap::Args;
use unisono::{Dtype, NormOrder, Overflow, QuantileMethod, Scalar, SumMode};

use super::Common;
use crate::failure::Result;
use crate::order::Op;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unisono reduce huge.npy --op sum
  unisono reduce stack.npy --op mean --axis 0 -o average.npy
  unisono reduce x.npy --op argmax --axis 0,-1 --keepdims --json
  unisono reduce week/ --op nanstd --ddof 1
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
    /// sum, prod, mean, var, std, min, max, argmin, argmax, ptp, norm, any, all, count_nonzero; of one file median, quantile:0.9,
    /// percentile:90, cumsum, cumprod, cummin, cummax, topk:10, logsumexp; of two files dot; with --labels also count. NumPy's
    /// nansum, nanmean, nanmedian, nancumsum and their like pass over NaN
    #[arg(long, value_name = "OP")]
    pub op: Op,
    /// The axes to reduce over (repeatable, or a list: 0,-1), of scans and topk one; if not given, all of them, of topk the
    /// last
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
    /// Pass over NaN: reductions, cumsum, cumprod and quantiles
    #[arg(long)]
    pub skip_nan: bool,
    /// What sum, prod, min and max start from, as one element more: a number
    #[arg(long, value_name = "NUMBER", value_parser = number, allow_hyphen_values = true)]
    pub initial: Option<Scalar>,
    /// Reduce only the elements that this .npy file of bool is true for, or those of the same names in this folder; of the
    /// shape of the whole, or of each file (not for scans)
    #[arg(long = "where", value_name = "MASK.npy|DIR")]
    pub mask: Option<PathBuf>,
    /// A result for every label in this .npy file of integers, or in those of the same names in this folder: count, sum, mean,
    /// var, std, median, min, max, argmin, argmax
    #[arg(long, value_name = "LABELS.npy|DIR")]
    pub labels: Option<PathBuf>,
    #[command(flatten)]
    pub wanted: Wanted,
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
    /// Of cumsum and cumprod, each result without its own element
    #[arg(long)]
    pub exclusive: bool,
    /// Of cumsum and cumprod, the value of nothing in front of all results
    #[arg(long, conflicts_with = "exclusive")]
    pub include_initial: bool,
    /// Of scans, from the last element to the first
    #[arg(long)]
    pub reverse: bool,
    /// The dtype of the result: float32, int64 …
    #[arg(long, value_name = "DTYPE")]
    pub dtype: Option<Dtype>,
    /// Of sums, products and ptp, what becomes of an integer that the result's dtype does not hold: error, wrap or saturate
    #[arg(long, default_value = "error", value_name = "POLICY")]
    pub overflow: Overflow,
    /// Write the result to this .npy file instead of printing it; of topk the elements alone, while --json prints their indices
    #[arg(short, long, value_name = "FILE.npy")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  unisono histogram x.npy --bins 20
  unisono histogram x.npy --edges 0,0.1,1,10 --weights w.npy --json
  unisono histogram x.npy --bins 20 --range 0,1 --labels regions.npy --index 1,2,7
  unisono histogram counts.npy --bincount --min-length 256

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
    /// Count how often each of the values 0, 1, 2 … occurs in integers
    #[arg(long, conflicts_with_all = ["bins", "range", "edges", "density", "labels", "index"])]
    pub bincount: bool,
    // The conflicts are those of --bincount: clap requires nothing that conflicts with what is there.
    /// Of --bincount, how many values to count at least
    #[arg(
        long,
        default_value_t = 0,
        value_name = "N",
        requires = "bincount",
        conflicts_with_all = ["bins", "range", "edges", "density", "labels", "index"]
    )]
    pub min_length: usize,
    /// Sum these weights, a .npy file of the same shape, instead of counting
    #[arg(long, value_name = "FILE.npy", conflicts_with_all = ["labels", "index"])]
    pub weights: Option<PathBuf>,
    /// A histogram for every label in this .npy file of integers, of the same shape
    #[arg(long, value_name = "LABELS.npy")]
    pub labels: Option<PathBuf>,
    #[command(flatten)]
    pub wanted: Wanted,
    /// Divide by the bins' widths and the sum of all
    #[arg(long, conflicts_with_all = ["labels", "index"])]
    pub density: bool,
    /// Write the result to this .npy file instead of printing it
    #[arg(short, long, value_name = "FILE.npy")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub common: Common,
}

impl ReduceArgs {
    /// Whether NaN is passed over.
    pub fn skips_nan(&self) -> bool {
        self.skip_nan || self.op.skip_nan
    }
}

// What is flattened has no text of its own.
#[derive(Debug, Args)]
pub struct Wanted {
    /// The labels that a result is wanted for (repeatable, or a list: 1,2,7); all that occur if not given
    #[arg(
        long,
        value_name = "LABEL",
        value_delimiter = ',',
        allow_negative_numbers = true,
        allow_hyphen_values = true,
        requires = "labels"
    )]
    index: Vec<i64>,
}

impl Wanted {
    /// Those named, or else those that occur.
    pub fn or(&self, occurring: impl FnOnce() -> Result<Vec<i64>>) -> Result<Vec<i64>> {
        if self.index.is_empty() { occurring() } else { Ok(self.index.clone()) }
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
