//! `unisono reduce` with an operation that needs whole lanes (scans, quantiles, the largest elements, log-sum-exp) or a second
//! array (a mask, a dot product).

use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;
use unisono::{Backend, Control, DynArray, LogSumExp, Overflow, Quantile, QuantileMethod, ReduceOp, Scan, ScanOp, SumMode, TopK};

use crate::args::ReduceArgs;
use crate::beside::Beside;
use crate::erased::{nested_json, nested_text};
use crate::failure::{Failure, Outcome, Result};
use crate::interrupt;
use crate::npy::{self, Npy};
use crate::output::{print, print_json_line};
use crate::sink::Sink;

/// What `--op` names.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// A reduction, done tile by tile.
    Reduce(ReduceOp),
    /// A scan.
    Scan(ScanOp),
    /// The median (no point) or a quantile; with NaN passed over.
    Quantile(Option<f64>, bool),
    /// So many of the largest or smallest elements, and their indices.
    TopK(usize),
    /// The logarithm of the sum of exponentials.
    LogSumExp,
}

impl Op {
    /// Its name, as `--op` takes it.
    fn name(&self) -> String {
        match self {
            Self::Reduce(op) => op.name().into(),
            Self::Scan(op) => op.name().into(),
            Self::Quantile(None, _) => "median".into(),
            Self::Quantile(Some(point), _) => format!("quantile:{point}"),
            Self::TopK(k) => format!("topk:{k}"),
            Self::LogSumExp => "logsumexp".into(),
        }
    }
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, point) = text.split_once(':').map_or((text, None), |(name, point)| (name, Some(point)));
        let (plain, ignore_nan) = name.strip_prefix("nan").map_or((name, false), |plain| (plain, true));
        let number = |most: f64| {
            let point = point.ok_or_else(|| format!("{name} needs a number, as {name}:{}", most * 0.9))?;
            match point.parse::<f64>() {
                Ok(number) if (0.0..=most).contains(&number) => Ok(number / most),
                _ => Err(format!("{point:?} is no number from 0 to {most}")),
            }
        };
        match plain {
            "quantile" => return Ok(Self::Quantile(Some(number(1.0)?), ignore_nan)),
            "percentile" => return Ok(Self::Quantile(Some(number(100.0)?), ignore_nan)),
            "topk" if !ignore_nan => {
                let count = point.and_then(|point| point.parse().ok());
                return count.map(Self::TopK).ok_or_else(|| "topk needs a count, as topk:10".into());
            }
            _ if point.is_some() => {}
            "median" => return Ok(Self::Quantile(None, ignore_nan)),
            "logsumexp" if !ignore_nan => return Ok(Self::LogSumExp),
            "dot" if !ignore_nan => return Ok(Self::Reduce(ReduceOp::Dot)),
            _ => {
                if let Ok(op) = text.parse() {
                    return Ok(Self::Scan(op));
                }
            }
        }
        text.parse().map(Self::Reduce).map_err(|error: unisono::Error| {
            let more = "median, quantile:0.9, percentile:90, nanmedian, topk:10, cumsum, cumprod, cummin, cummax, logsumexp";
            format!("{error}; or {more}")
        })
    }
}

#[derive(Serialize)]
struct Report<'a> {
    file: &'a std::path::Path,
    op: String,
    device: String,
    input_dtype: &'static str,
    input_shape: &'a [usize],
    dtype: &'static str,
    shape: Vec<usize>,
    value: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    indices: Option<serde_json::Value>,
}

/// Refuses options that the operation would not look at.
pub fn check(args: &ReduceArgs, op: &Op) -> Result<()> {
    let (scan, quantile) = (matches!(op, Op::Scan(_)), matches!(op, Op::Quantile(..)));
    let (reduce, top) = (matches!(op, Op::Reduce(_)), matches!(op, Op::TopK(_)));
    let options = [
        ("--exclusive", args.exclusive, scan, "scans"),
        ("--include-initial", args.include_initial, scan, "scans"),
        ("--reverse", args.reverse, scan, "scans"),
        ("--smallest", args.smallest, top, "topk"),
        ("--weights", args.weights.is_some(), quantile, "quantiles"),
        ("--method", args.method.is_some(), quantile, "quantiles"),
        ("--initial", args.initial.is_some(), reduce, "sum, prod, min and max"),
        ("--mode", args.mode != SumMode::Exact, reduce, "sum and mean"),
        ("--dtype", args.dtype.is_some(), reduce || scan, "reductions and scans"),
        ("--where", args.mask.is_some(), reduce || quantile, "reductions, medians and quantiles"),
        ("--skip-nan", args.skip_nan, reduce || scan || quantile, "reductions, scans, medians and quantiles"),
        ("--keepdims", args.keepdims, !scan && !top, "reductions, medians, quantiles and logsumexp"),
    ];
    match options.into_iter().find(|&(_, given, fits, _)| given && !fits) {
        Some((option, _, _, expected)) => Err(Failure::usage(format!("{option} is for {expected}, not for {}", op.name()))),
        None => Ok(()),
    }
}

/// Runs an operation on the whole of a mapped file, or of two.
pub fn run(args: &ReduceArgs, files: &[PathBuf], op: &Op) -> Result<Outcome> {
    let dot = matches!(op, Op::Reduce(ReduceOp::Dot));
    let named = args.mask.as_deref().map(|path| Beside::open(path, files)).transpose()?;
    let mask = match (&named, args.mask.as_ref()) {
        (Some(Beside::Each(paths)), _) => paths.first(),
        (_, path) => path,
    };
    let mask = mask.or(args.weights.as_ref());
    let (file, second) = match (files, mask) {
        ([one, other], None) if dot => (one, Some(other)),
        ([one], mask) if !dot => (one, mask),
        (files, _) if dot => return Err(Failure::usage(format!("{} files for dot; expected two, and no mask", files.len()))),
        (files, _) => {
            let got = format!("{} files for an operation that needs all of them at once; expected one", files.len());
            return Err(Failure::usage(got));
        }
    };
    let (npy, second) = (Npy::open(file)?, second.map(|path| Npy::open(path)).transpose()?);
    let control = Control::new();
    let backend = crate::backend(&args.common)?.with_control(&control);
    interrupt::cancels(&control)?;
    let (result, indices) = compute(&backend, &npy, second.as_ref(), args, op)?;
    let (shape, values) = (result.shape().to_vec(), result.into_host()?);
    let indices = indices.map(DynArray::into_host).transpose()?;
    if let Some(path) = &args.output {
        let sink = Sink::create(path)?;
        npy::write(sink.file(), &values, &shape).map_err(|text| Failure::file(path, text))?;
        sink.finish()?;
    }
    if args.common.json {
        return print_json_line(&Report {
            file,
            op: op.name(),
            device: backend.info().id,
            input_dtype: npy.dtype().name(),
            input_shape: npy.shape(),
            dtype: values.dtype().name(),
            value: if args.output.is_some() { serde_json::Value::Null } else { nested_json(&values, &shape) },
            indices: indices.map(|indices| nested_json(&indices, &shape)),
            shape,
        })
        .map(|()| Outcome::Done);
    }
    if args.output.is_none() {
        print(&(nested_text(&values, &shape) + "\n"))?;
        if let Some(indices) = indices {
            print(&(nested_text(&indices, &shape) + "\n"))?;
        }
    }
    Ok(Outcome::Done)
}

/// The result, and of the largest elements where they are.
fn compute(
    backend: &Backend,
    npy: &Npy,
    second: Option<&Npy>,
    args: &ReduceArgs,
    op: &Op,
) -> Result<(DynArray, Option<DynArray>)> {
    let operand = npy.operand()?;
    let second = second.map(Npy::operand).transpose()?;
    if let Op::TopK(k) = *op {
        let axis = match args.axis[..] {
            [] => -1,
            [axis] => axis,
            _ => return Err(Failure::usage(format!("--axis: got {:?}, expected one axis for topk", args.axis))),
        };
        let how = if args.smallest { TopK::smallest(k) } else { TopK::largest(k) };
        let (values, indices) = backend.topk_dyn(&operand, &how.axis(axis))?;
        return Ok((values, Some(indices)));
    }
    compute_one(backend, &operand, second.as_ref(), args, op).map(|found| (found, None))
}

fn compute_one(
    backend: &Backend,
    operand: &unisono::Operand<'_>,
    second: Option<&unisono::Operand<'_>>,
    args: &ReduceArgs,
    op: &Op,
) -> Result<DynArray> {
    match op {
        Op::Reduce(op) => {
            let how = crate::reduce::how(args, *op)?;
            match second {
                Some(other) if *op == ReduceOp::Dot => Ok(backend.vecdot_dyn(operand, other, &how.retyped(unisono::op::Dot))?),
                Some(mask) => Ok(backend.reduce_where_dyn(operand, mask, &how)?),
                None => Ok(backend.reduce_dyn(operand, &how)?),
            }
        }
        Op::TopK(_) => Err(Failure::work("topk has two results")),
        Op::Scan(op) => {
            let how = match args.axis[..] {
                [] => Scan::of(*op),
                [axis] => Scan::of(*op).axis(axis),
                _ => return Err(Failure::usage(format!("--axis: got {:?}, expected one axis for {op}", args.axis))),
            };
            let how = if args.exclusive { how.exclusive() } else { how };
            let how = if args.include_initial { how.include_initial() } else { how };
            let how = if args.reverse { how.reverse() } else { how };
            let how = if args.skip_nan { how.skip_nan() } else { how };
            let how = match args.overflow {
                Overflow::Error => how,
                Overflow::Wrap => how.wrapping(),
                Overflow::Saturate => return Err(Failure::usage("--overflow: got saturate, expected error or wrap for scans")),
            };
            Ok(backend.scan_dyn(operand, &args.dtype.iter().fold(how, |how, &dtype| how.out_dtype(dtype)))?)
        }
        Op::Quantile(point, ignore_nan) => {
            let mut how = point.map_or_else(Quantile::median, Quantile::one);
            how = match (args.method, args.weights.is_some()) {
                (Some(method), _) => how.method(method),
                (None, true) => how.method(QuantileMethod::InvertedCdf),
                (None, false) => how,
            };
            how = if args.axis.is_empty() { how } else { how.axes(&args.axis) };
            how = if args.keepdims { how.keepdims() } else { how };
            how = if *ignore_nan || args.skip_nan { how.ignore_nan() } else { how };
            match second {
                Some(weights) if args.weights.is_some() => Ok(backend.quantile_weighted(operand, weights, &how)?),
                Some(mask) => Ok(backend.quantile_where(operand, mask, &how)?),
                None => Ok(backend.quantile_dyn(operand, &how)?),
            }
        }
        Op::LogSumExp => {
            let how = if args.axis.is_empty() { LogSumExp::new() } else { LogSumExp::new().axes(&args.axis) };
            Ok(backend.logsumexp_dyn(operand, None, &if args.keepdims { how.keepdims() } else { how })?.0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_told_apart() {
        assert_eq!("sum".parse(), Ok(Op::Reduce(ReduceOp::Sum)));
        assert_eq!("cummax".parse(), Ok(Op::Scan(ScanOp::Max)));
        assert_eq!("median".parse(), Ok(Op::Quantile(None, false)));
        assert_eq!("nanquantile:0.25".parse(), Ok(Op::Quantile(Some(0.25), true)));
        assert_eq!("percentile:50".parse(), Ok(Op::Quantile(Some(0.5), false)));
        assert_eq!("logsumexp".parse(), Ok(Op::LogSumExp));
        assert_eq!("topk:3".parse(), Ok(Op::TopK(3)));
        assert_eq!("dot".parse(), Ok(Op::Reduce(ReduceOp::Dot)));
        for text in ["quantile", "quantile:2", "percentile:x", "median:1", "topk", "topk:x", "nothing", ""] {
            assert!(text.parse::<Op>().is_err(), "{text}");
        }
    }
}
