//! `unisono reduce` with an operation that needs whole lanes (scans, quantiles, the largest elements, log-sum-exp) or a second
//! array (a mask, a dot product).

use std::borrow::Cow;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Serialize;
use unisono::{Backend, Control, DynArray, LogSumExp, Overflow, Quantile, QuantileMethod, ReduceOp, Scan, ScanOp, SumMode, TopK};

use crate::args::ReduceArgs;
use crate::beside::Beside;
use crate::erased::Nested;
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
    pub fn name(&self) -> String {
        let nan = |ignored: &bool| if *ignored { "nan" } else { "" };
        match self {
            Self::Reduce(op) => op.name().into(),
            Self::Scan(op) => op.name().into(),
            Self::Quantile(None, ignored) => format!("{}median", nan(ignored)),
            Self::Quantile(Some(point), ignored) => format!("{}quantile:{point}", nan(ignored)),
            Self::TopK(k) => format!("topk:{k}"),
            Self::LogSumExp => "logsumexp".into(),
        }
    }

    /// What it is one of.
    fn kind(&self) -> &'static str {
        match self {
            Self::Reduce(ReduceOp::Dot) => "dot",
            Self::Reduce(_) => "reductions",
            Self::Scan(_) => "scans",
            Self::Quantile(..) => "quantiles",
            Self::TopK(_) => "topk",
            Self::LogSumExp => "logsumexp",
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
    file: Cow<'a, str>,
    op: String,
    device: String,
    input_dtype: &'static str,
    input_shape: &'a [usize],
    dtype: &'static str,
    shape: &'a [usize],
    value: Option<Nested<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    indices: Option<Nested<'a>>,
}

/// Refuses options that the operation would not look at.
pub fn check(args: &ReduceArgs, op: &Op) -> Result<()> {
    // What may be given, and the operations that look at it, by name or kind.
    let options: [(&str, bool, &[&str]); 16] = [
        ("--axis", !args.axis.is_empty(), &["reductions", "dot", "scans", "quantiles", "topk", "logsumexp"]),
        ("--ddof", args.ddof != 0, &["var", "std"]),
        ("--dtype", args.dtype.is_some(), &["reductions", "dot", "scans"]),
        ("--exclusive", args.exclusive, &["scans"]),
        ("--include-initial", args.include_initial, &["scans"]),
        ("--initial", args.initial.is_some(), &["sum", "prod", "min", "max"]),
        ("--keepdims", args.keepdims, &["reductions", "dot", "quantiles", "logsumexp"]),
        ("--method", args.method.is_some(), &["quantiles"]),
        ("--mode", args.mode != SumMode::Exact, &["sum", "mean"]),
        ("--ord", args.ord.is_some(), &["norm"]),
        ("--overflow", args.overflow != Overflow::Error, &["sum", "prod", "ptp", "dot", "cumsum", "cumprod"]),
        ("--reverse", args.reverse, &["scans"]),
        ("--skip-nan", args.skip_nan, &["reductions", "scans", "quantiles"]),
        ("--smallest", args.smallest, &["topk"]),
        ("--weights", args.weights.is_some(), &["quantiles"]),
        ("--where", args.mask.is_some(), &["reductions", "quantiles"]),
    ];
    let (name, kind) = (op.name(), op.kind());
    for (option, given, expected) in options {
        if given && args.labels.is_some() && option != "--ddof" {
            return Err(Failure::usage(format!("{option} does not go with --labels, which takes --op, --index and --ddof")));
        }
        if given && !expected.iter().any(|&fits| fits == name || fits == kind) {
            let expected = match expected {
                [front @ .., last] if !front.is_empty() => format!("{} and {last}", front.join(", ")),
                one => one.concat(),
            };
            return Err(Failure::usage(format!("{option} is for {expected}, not for {name}")));
        }
    }
    Ok(())
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
            file: file.to_string_lossy(),
            op: op.name(),
            device: backend.info().id,
            input_dtype: npy.dtype().name(),
            input_shape: npy.shape(),
            dtype: values.dtype().name(),
            value: args.output.is_none().then_some(Nested(&values, &shape)),
            indices: indices.as_ref().map(|indices| Nested(indices, &shape)),
            shape: &shape,
        })
        .map(|()| Outcome::Done);
    }
    if args.output.is_none() {
        for values in [Some(values), indices].iter().flatten() {
            print(format_args!("{}\n", Nested(values, &shape)))?;
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
