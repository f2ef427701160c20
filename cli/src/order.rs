//! `unisono reduce` with an operation that needs whole lanes (scans, quantiles, log-sum-exp), and `unisono histogram`.

use std::str::FromStr;

use serde::Serialize;
use unisono::{Backend, Bins, Control, DynArray, HostVec, LogSumExp, Quantile, ReduceOp, Scan, ScanOp};

use crate::args::{HistogramArgs, ReduceArgs};
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
    /// The logarithm of the sum of exponentials.
    LogSumExp,
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
            _ if point.is_some() => {}
            "median" => return Ok(Self::Quantile(None, ignore_nan)),
            "logsumexp" if !ignore_nan => return Ok(Self::LogSumExp),
            _ => {
                if let Ok(op) = text.parse() {
                    return Ok(Self::Scan(op));
                }
            }
        }
        text.parse().map(Self::Reduce).map_err(|error: unisono::Error| {
            let more = "median, quantile:0.9, percentile:90, nanmedian, cumsum, cumprod, cummin, cummax, logsumexp";
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
}

/// Runs an operation on the whole of a mapped file.
pub fn run(args: &ReduceArgs, op: &Op) -> Result<Outcome> {
    let [file] = &args.files[..] else {
        return Err(Failure::usage(format!(
            "{} files for an operation that needs all of them at once; expected one",
            args.files.len()
        )));
    };
    let npy = Npy::open(file)?;
    let control = Control::new();
    let backend = crate::open(&args.common.device)?.with_control(&control);
    interrupt::cancels(&control)?;
    let result = compute(&backend, &npy, args, op)?;
    let (shape, values) = (result.shape().to_vec(), result.into_host()?);
    if let Some(path) = &args.output {
        let sink = Sink::create(path)?;
        npy::write(sink.file(), &values, &shape).map_err(|text| Failure::file(path, text))?;
        sink.finish()?;
    }
    if args.common.json {
        return print_json_line(&Report {
            file,
            op: match op {
                Op::Reduce(op) => op.name().into(),
                Op::Scan(op) => op.name().into(),
                Op::Quantile(None, _) => "median".into(),
                Op::Quantile(Some(point), _) => format!("quantile:{point}"),
                Op::LogSumExp => "logsumexp".into(),
            },
            device: backend.info().id,
            input_dtype: npy.dtype().name(),
            input_shape: npy.shape(),
            dtype: values.dtype().name(),
            value: if args.output.is_some() { serde_json::Value::Null } else { nested_json(&values, &shape) },
            shape,
        })
        .map(|()| Outcome::Done);
    }
    if args.output.is_none() {
        print(&(nested_text(&values, &shape) + "\n"))?;
    }
    Ok(Outcome::Done)
}

fn compute(backend: &Backend, npy: &Npy, args: &ReduceArgs, op: &Op) -> Result<DynArray> {
    let operand = npy.operand()?;
    match op {
        Op::Reduce(op) => {
            let how = unisono::Reduce::of(*op);
            let how = if args.axis.is_empty() { how } else { how.axes(&args.axis) };
            Ok(backend.reduce_dyn(&operand, &if args.keepdims { how.keepdims() } else { how })?)
        }
        Op::Scan(op) => {
            let how = match args.axis[..] {
                [] => Scan::of(*op),
                [axis] => Scan::of(*op).axis(axis),
                _ => return Err(Failure::usage(format!("--axis: got {:?}, expected one axis for {op}", args.axis))),
            };
            Ok(backend.scan_dyn(&operand, &how)?)
        }
        Op::Quantile(point, ignore_nan) => {
            let mut how = point.map_or_else(Quantile::median, Quantile::one);
            how = if args.axis.is_empty() { how } else { how.axes(&args.axis) };
            how = if args.keepdims { how.keepdims() } else { how };
            Ok(backend.quantile_dyn(&operand, &if *ignore_nan { how.ignore_nan() } else { how })?)
        }
        Op::LogSumExp => {
            let how = if args.axis.is_empty() { LogSumExp::new() } else { LogSumExp::new().axes(&args.axis) };
            Ok(backend.logsumexp_dyn(&operand, None, &if args.keepdims { how.keepdims() } else { how })?.0)
        }
    }
}

#[derive(Serialize)]
struct Bars<'a> {
    file: &'a std::path::Path,
    device: String,
    edges: &'a [f64],
    counts: &'a [u64],
    values: Vec<f64>,
}

/// `unisono histogram`.
pub fn histogram(args: &HistogramArgs) -> Result<Outcome> {
    let npy = Npy::open(&args.file)?;
    let weights = args.weights.as_deref().map(Npy::open).transpose()?;
    let control = Control::new();
    let backend = crate::open(&args.common.device)?.with_control(&control);
    interrupt::cancels(&control)?;
    let mut bins = if args.edges.is_empty() { Bins::uniform(args.bins) } else { Bins::edges(&args.edges) };
    match args.range[..] {
        [] => {}
        [low, high] => bins = bins.range(low, high),
        _ => return Err(Failure::usage(format!("--range: got {:?}, expected two numbers", args.range))),
    }
    let (operand, second) = (npy.operand()?, weights.as_ref().map(Npy::operand).transpose()?);
    let found = backend.histogram_dyn(&operand, second.as_ref(), &bins)?;
    let values = if args.density { found.density() } else { found.values() };
    if let Some(path) = &args.output {
        let sink = Sink::create(path)?;
        let vec = if args.density || found.is_weighted() {
            HostVec::F64(values.clone())
        } else {
            HostVec::U64(found.counts().to_vec())
        };
        npy::write(sink.file(), &vec, &[vec.len()]).map_err(|text| Failure::file(path, text))?;
        sink.finish()?;
    }
    if args.common.json {
        let device = backend.info().id;
        print_json_line(&Bars { file: &args.file, device, edges: found.edges(), counts: found.counts(), values })?;
    } else if args.output.is_none() {
        let largest = values.iter().copied().fold(0.0, f64::max);
        let mut text = String::new();
        for (i, (value, edges)) in values.iter().zip(found.edges().windows(2)).enumerate() {
            let shown = match args.density || found.is_weighted() {
                true => format!("{value}"),
                false => format!("{}", found.counts()[i]),
            };
            let bar =
                if largest > 0.0 { "█".repeat((40.0 * value.max(0.0) / largest).round() as usize) } else { String::new() };
            text += format!("{:>12} … {:<12} {shown:>12}  {bar}", edges[0], edges[1]).trim_end();
            text.push('\n');
        }
        print(&text)?;
    }
    Ok(Outcome::Done)
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
        for text in ["quantile", "quantile:2", "percentile:x", "median:1", "nothing", ""] {
            assert!(text.parse::<Op>().is_err(), "{text}");
        }
    }
}
