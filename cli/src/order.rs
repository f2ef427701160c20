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
use crate::output::{counted, print, print_json};
use crate::sink::Sink;

/// What `--op` names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Op {
    pub kind: Kind,
    /// With `nan` in front: NaN passed over.
    pub skip_nan: bool,
}

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// A reduction, done tile by tile.
    Reduce(ReduceOp),
    /// A scan.
    Scan(ScanOp),
    /// The median (no point) or a quantile.
    Quantile(Option<f64>),
    /// So many of the largest or smallest elements, and their indices.
    TopK(usize),
    /// The logarithm of the sum of exponentials.
    LogSumExp,
    /// The number of elements of a label.
    Count,
}

impl Op {
    /// Its name, as `--op` takes it.
    pub fn name(&self) -> String {
        format!("{}{}", if self.skip_nan { "nan" } else { "" }, self.kind.name())
    }
}

impl Kind {
    /// The name without `nan` in front.
    fn name(&self) -> String {
        match self {
            Self::Reduce(op) => op.name().into(),
            Self::Scan(op) => op.name().into(),
            Self::Quantile(None) => "median".into(),
            Self::Quantile(Some(point)) => format!("quantile:{point}"),
            Self::TopK(k) => format!("topk:{k}"),
            Self::LogSumExp => "logsumexp".into(),
            Self::Count => "count".into(),
        }
    }

    /// What it is one of.
    fn family(&self) -> &'static str {
        match self {
            Self::Reduce(ReduceOp::Dot) => "dot",
            Self::Reduce(_) => "reductions",
            Self::Scan(_) => "scans",
            Self::Quantile(_) => "quantiles",
            Self::TopK(_) => "topk",
            Self::LogSumExp => "logsumexp",
            Self::Count => "count",
        }
    }

    /// Whether NumPy has it with `nan` in front.
    fn has_nan(&self) -> bool {
        use ReduceOp::{ArgMax, ArgMin, Max, Mean, Min, Product, Std, Sum, Var};
        match self {
            Self::Reduce(op) => matches!(op, Sum | Product | Mean | Var | Std | Min | Max | ArgMin | ArgMax),
            Self::Scan(op) => op.has_identity(),
            Self::Quantile(_) => true,
            Self::TopK(_) | Self::LogSumExp | Self::Count => false,
        }
    }
}

impl FromStr for Op {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, point) = text.split_once(':').map_or((text, None), |(name, point)| (name, Some(point)));
        let (plain, skip_nan) = name.strip_prefix("nan").map_or((name, false), |plain| (plain, true));
        let number = |most: f64| {
            let point = point.ok_or_else(|| format!("{name} needs a number, as {name}:{}", most * 0.9))?;
            match point.parse::<f64>() {
                Ok(number) if (0.0..=most).contains(&number) => Ok(Kind::Quantile(Some(number / most))),
                _ => Err(format!("{point:?} is no number from 0 to {most}")),
            }
        };
        let kind = match (plain, point) {
            ("quantile", _) => Some(number(1.0)?),
            ("percentile", _) => Some(number(100.0)?),
            ("topk", _) if !skip_nan => {
                let count = point.and_then(|point| point.parse().ok());
                Some(Kind::TopK(count.ok_or("topk needs a count, as topk:10")?))
            }
            (_, Some(_)) => None,
            ("median", None) => Some(Kind::Quantile(None)),
            ("logsumexp", None) => Some(Kind::LogSumExp),
            ("dot", None) => Some(Kind::Reduce(ReduceOp::Dot)),
            ("count", None) => Some(Kind::Count),
            _ => plain.parse().map(Kind::Scan).or_else(|_| plain.parse().map(Kind::Reduce)).ok(),
        };
        if let Some(kind) = kind.filter(|kind| !skip_nan || kind.has_nan()) {
            return Ok(Self { kind, skip_nan });
        }
        text.parse().map(|op| Self { kind: Kind::Reduce(op), skip_nan }).map_err(|error: unisono::Error| {
            let more = "median, quantile:0.9, percentile:90, topk:10, cumsum, cumprod, cummin, cummax, logsumexp, dot, count";
            format!("{error}; or {more}, nansum, nanmedian, nancumsum and their like")
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
pub fn check(args: &ReduceArgs) -> Result<()> {
    let op = args.op;
    if op.kind == Kind::Count && args.labels.is_none() {
        return Err(Failure::usage("--op count is for --labels; without labels there is count_nonzero"));
    }
    // What may be given, and the operations that look at it, by name or kind.
    let options: [(&str, bool, &[&str]); 16] = [
        ("--axis", !args.axis.is_empty(), &["reductions", "dot", "scans", "quantiles", "topk", "logsumexp"]),
        ("--ddof", args.ddof != 0, &["var", "std"]),
        ("--dtype", args.dtype.is_some(), &["reductions", "dot", "scans"]),
        ("--exclusive", args.exclusive, &["cumsum", "cumprod"]),
        ("--include-initial", args.include_initial, &["cumsum", "cumprod"]),
        ("--initial", args.initial.is_some(), &["sum", "prod", "min", "max"]),
        ("--keepdims", args.keepdims, &["reductions", "dot", "quantiles", "logsumexp"]),
        ("--method", args.method.is_some(), &["quantiles"]),
        ("--mode", args.mode != SumMode::Exact, &["sum", "mean"]),
        ("--ord", args.ord.is_some(), &["norm"]),
        ("--overflow", args.overflow != Overflow::Error, &["sum", "prod", "ptp", "dot", "cumsum", "cumprod"]),
        ("--reverse", args.reverse, &["scans"]),
        ("--skip-nan", args.skip_nan, &["reductions", "cumsum", "cumprod", "quantiles"]),
        ("--smallest", args.smallest, &["topk"]),
        ("--weights", args.weights.is_some(), &["quantiles"]),
        ("--where", args.mask.is_some(), &["reductions", "quantiles"]),
    ];
    let (name, family) = (op.kind.name(), op.kind.family());
    for (option, given, expected) in options {
        if given && args.labels.is_some() && option != "--ddof" {
            return Err(Failure::usage(format!("{option} does not go with --labels, which takes --op, --index and --ddof")));
        }
        if given && !expected.iter().any(|&fits| fits == name || fits == family) {
            let expected = match expected {
                [front @ .., last] if !front.is_empty() => format!("{} and {last}", front.join(", ")),
                one => one.concat(),
            };
            return Err(Failure::usage(format!("{option} is for {expected}, not for {}", op.name())));
        }
    }
    Ok(())
}

/// Runs an operation on the whole of a mapped file, or of two.
pub fn run(args: &ReduceArgs, files: &[PathBuf]) -> Result<Outcome> {
    let op = args.op;
    let dot = op.kind == Kind::Reduce(ReduceOp::Dot);
    let named = args.mask.as_deref().map(|path| Beside::open(path, files)).transpose()?;
    let mask = match (&named, args.mask.as_ref()) {
        (Some(Beside::Each(paths)), _) => paths.first(),
        (_, path) => path,
    };
    let mask = mask.or(args.weights.as_ref());
    let (file, second) = match (files, mask) {
        ([one, other], None) if dot => (one, Some(other)),
        ([one], mask) if !dot => (one, mask),
        _ if dot => return Err(files_for("dot", files.len(), "two")),
        _ => return Err(files_for(&op.name(), files.len(), "one: it takes all elements together")),
    };
    let (npy, second) = (Npy::open(file)?, second.map(|path| Npy::open(path)).transpose()?);
    let control = Control::new();
    let backend = crate::backend(&args.common)?.with_control(&control);
    interrupt::cancels(&control)?;
    let (result, indices) = compute(&backend, &npy, second.as_ref(), args)?;
    let (shape, values) = (result.shape().to_vec(), result.into_host()?);
    let indices = indices.map(DynArray::into_host).transpose()?;
    if let Some(path) = &args.output {
        let sink = Sink::create(path)?;
        npy::write(sink.file(), &values, &shape).map_err(|text| Failure::file(path, text))?;
        sink.finish()?;
    }
    if args.common.json {
        return print_json(&Report {
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

/// A number of files that an operation does not take.
pub fn files_for(op: &str, files: usize, expected: &str) -> Failure {
    Failure::usage(format!("--op {op}: got {}, expected {expected}", counted(files, "file")))
}

/// The result, and of the largest elements where they are.
fn compute(backend: &Backend, npy: &Npy, second: Option<&Npy>, args: &ReduceArgs) -> Result<(DynArray, Option<DynArray>)> {
    let operand = npy.operand()?;
    let second = second.map(Npy::operand).transpose()?;
    if let Kind::TopK(k) = args.op.kind {
        let axis = match args.axis[..] {
            [] => -1,
            [axis] => axis,
            _ => return Err(Failure::usage(format!("--axis: got {:?}, expected one axis for topk", args.axis))),
        };
        let how = if args.smallest { TopK::smallest(k) } else { TopK::largest(k) };
        let (values, indices) = backend.topk_dyn(&operand, &how.axis(axis))?;
        return Ok((values, Some(indices)));
    }
    compute_one(backend, &operand, second.as_ref(), args).map(|found| (found, None))
}

fn compute_one(
    backend: &Backend,
    operand: &unisono::Operand<'_>,
    second: Option<&unisono::Operand<'_>>,
    args: &ReduceArgs,
) -> Result<DynArray> {
    match args.op.kind {
        Kind::Reduce(op) => {
            let how = crate::reduce::how(args, op)?;
            match second {
                Some(other) if op == ReduceOp::Dot => Ok(backend.vecdot_dyn(operand, other, &how.retyped(unisono::op::Dot))?),
                Some(mask) => Ok(backend.reduce_where_dyn(operand, mask, &how)?),
                None => Ok(backend.reduce_dyn(operand, &how)?),
            }
        }
        Kind::TopK(_) | Kind::Count => Err(Failure::work(format!("{} is computed elsewhere", args.op.name()))),
        Kind::Scan(op) => {
            let how = match args.axis[..] {
                [] => Scan::of(op),
                [axis] => Scan::of(op).axis(axis),
                _ => return Err(Failure::usage(format!("--axis: got {:?}, expected one axis for {op}", args.axis))),
            };
            let how = if args.exclusive { how.exclusive() } else { how };
            let how = if args.include_initial { how.include_initial() } else { how };
            let how = if args.reverse { how.reverse() } else { how };
            let how = if args.skips_nan() { how.skip_nan() } else { how };
            let how = match args.overflow {
                Overflow::Error => how,
                Overflow::Wrap => how.wrapping(),
                Overflow::Saturate => return Err(Failure::usage("--overflow: got saturate, expected error or wrap for scans")),
            };
            Ok(backend.scan_dyn(operand, &args.dtype.iter().fold(how, |how, &dtype| how.out_dtype(dtype)))?)
        }
        Kind::Quantile(point) => {
            let mut how = point.map_or_else(Quantile::median, Quantile::one);
            how = match (args.method, args.weights.is_some()) {
                (Some(method), _) => how.method(method),
                (None, true) => how.method(QuantileMethod::InvertedCdf),
                (None, false) => how,
            };
            how = if args.axis.is_empty() { how } else { how.axes(&args.axis) };
            how = if args.keepdims { how.keepdims() } else { how };
            how = if args.skips_nan() { how.ignore_nan() } else { how };
            match second {
                Some(weights) if args.weights.is_some() => Ok(backend.quantile_weighted(operand, weights, &how)?),
                Some(mask) => Ok(backend.quantile_where(operand, mask, &how)?),
                None => Ok(backend.quantile_dyn(operand, &how)?),
            }
        }
        Kind::LogSumExp => {
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
        let plain = |kind| Ok(Op { kind, skip_nan: false });
        assert_eq!("sum".parse(), plain(Kind::Reduce(ReduceOp::Sum)));
        assert_eq!("cummax".parse(), plain(Kind::Scan(ScanOp::Max)));
        assert_eq!("median".parse(), plain(Kind::Quantile(None)));
        assert_eq!("percentile:50".parse(), plain(Kind::Quantile(Some(0.5))));
        assert_eq!("logsumexp".parse(), plain(Kind::LogSumExp));
        assert_eq!("topk:3".parse(), plain(Kind::TopK(3)));
        assert_eq!("dot".parse(), plain(Kind::Reduce(ReduceOp::Dot)));
        assert_eq!("count".parse(), plain(Kind::Count));
        let names = "nansum nanprod nanmean nanvar nanstd nanmin nanmax nanargmin nanargmax nancumsum nancumprod nanmedian";
        for name in names.split(' ').chain(["nanquantile:0.25"]) {
            let op: Op = name.parse().unwrap();
            assert_eq!((op.name().as_str(), op.skip_nan), (name, true));
        }
        for text in ["quantile", "quantile:2", "percentile:x", "median:1", "topk", "topk:x", "nothing", ""] {
            assert!(text.parse::<Op>().is_err(), "{text}");
        }
        for text in ["nan", "nanptp", "nanany", "nancummax", "nantopk:1", "nandot", "nancount", "nannansum", "nansum:1"] {
            assert!(text.parse::<Op>().is_err_and(|error| error.contains(text)), "{text}");
        }
    }
}
