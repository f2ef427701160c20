//! `unisono reduce --labels`: a result for every label.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;
use unisono::{Control, GroupOp, Operand, Reduce};

use crate::args::ReduceArgs;
use crate::erased::{nested_json, nested_text};
use crate::failure::{Failure, Outcome, Result};
use crate::interrupt;
use crate::npy::{self, Npy};
use crate::order::Op;
use crate::output::{print, print_json_line};
use crate::sink::Sink;

/// Labels that are looked for, where none are named.
const MOST: u128 = 1 << 24;

#[derive(Serialize)]
struct Report<'a> {
    file: &'a Path,
    op: &'static str,
    device: String,
    labels: &'a [i64],
    dtype: &'static str,
    value: serde_json::Value,
}

/// Runs the operation on a mapped file, whose elements another one labels.
pub fn run(args: &ReduceArgs, labels: &Path) -> Result<Outcome> {
    let [file] = &args.files[..] else {
        return Err(Failure::usage(format!("{} files with --labels; expected one", args.files.len())));
    };
    let op = match &args.op {
        Op::Reduce(unisono::ReduceOp::CountNonzero) => Err("count_nonzero".into()),
        Op::Reduce(op) => op.name().parse::<GroupOp>().map_err(|_| op.name().to_string()),
        Op::Quantile(None, false) => Ok(GroupOp::Median),
        other => Err(format!("{other:?}")),
    };
    let op = op.map_err(|op| {
        let names: Vec<_> = GroupOp::ALL.into_iter().filter(|op| *op != GroupOp::Count).map(GroupOp::name).collect();
        Failure::usage(format!("--op with --labels: got {op}, expected {}", names.join(", ")))
    })?;
    if args.mask.is_some() || !args.axis.is_empty() || args.skip_nan || args.keepdims || args.dtype.is_some() {
        return Err(Failure::usage(
            "--labels goes with --op, --index and --ddof; --where, --axis, --keepdims, --skip-nan and --dtype do not",
        ));
    }
    let (npy, keys) = (Npy::open(file)?, Npy::open(labels)?);
    let control = Control::new();
    let backend = crate::open(&args.common.device)?.with_control(&control);
    interrupt::cancels(&control)?;
    let (values, keys) = (npy.operand()?, keys.operand()?);
    let index = if args.index.is_empty() { occurring(&backend, &keys)? } else { args.index.clone() };
    let found = backend.reduce_by_label(&values, &keys, op.ddof(args.ddof), Some(&index))?.into_host()?;
    if let Some(path) = &args.output {
        let sink = Sink::create(path)?;
        npy::write(sink.file(), &found, &[index.len()]).map_err(|text| Failure::file(path, text))?;
        sink.finish()?;
    }
    if args.common.json {
        let value = if args.output.is_some() { serde_json::Value::Null } else { nested_json(&found, &[index.len()]) };
        let (device, dtype) = (backend.info().id, found.dtype().name());
        print_json_line(&Report { file, op: op.name(), device, labels: &index, dtype, value })?;
    } else if args.output.is_none() {
        let values = nested_text(&found, &[index.len(), 1]);
        let values = values.split(['[', ']', ',', ' ', '\n']).filter(|text| !text.is_empty());
        let mut text = String::new();
        for (label, value) in index.iter().zip(values) {
            let _ = writeln!(text, "{label}\t{value}");
        }
        print(&text)?;
    }
    Ok(Outcome::Done)
}

/// The labels that occur, ascending.
fn occurring(backend: &unisono::Backend, keys: &Operand<'_>) -> Result<Vec<i64>> {
    if keys.dtype().integer_range().is_none() {
        return Err(Failure::usage(format!("labels of {}; expected integers", keys.dtype())));
    }
    if keys.shape().contains(&0) {
        return Ok(vec![]);
    }
    let end = |how: Reduce| -> Result<i128> {
        let found = backend.reduce_dyn(keys, &how)?.into_host()?;
        let text = nested_text(&found, &[]);
        let text = match text.as_str() {
            "true" => "1",
            "false" => "0",
            other => other,
        };
        text.parse().map_err(|_| Failure::work(format!("{text:?} is no label")))
    };
    let (least, most) = (end(Reduce::of(unisono::ReduceOp::Min))?, end(Reduce::of(unisono::ReduceOp::Max))?);
    if (most - least) as u128 >= MOST || i64::try_from(most).is_err() {
        return Err(Failure::usage(format!("labels from {least} to {most}; name those that are wanted with --index")));
    }
    let all: Vec<i64> = (least as i64..=most as i64).collect();
    let counts = backend.reduce_by_label(keys, keys, GroupOp::Count, Some(&all))?.typed::<u64>()?.into_vec()?;
    Ok(all.into_iter().zip(counts).filter(|(_, count)| *count > 0).map(|(label, _)| label).collect())
}
