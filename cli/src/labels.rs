//! `unisono reduce --labels`: a result for every label.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::Serialize;
use unisono::{Backend, Control, GroupOp, HostVec, LabelPartials, Operand, Reduce};

use crate::args::ReduceArgs;
use crate::beside::Beside;
use crate::erased::{Lines, Nested};
use crate::failure::{Failure, Outcome, Result};
use crate::interrupt;
use crate::npy::{self, Npy};
use crate::order;
use crate::output::{print, print_json};
use crate::reduce::no_axis;
use crate::sink::Sink;

/// Labels that are looked for, where none are named.
const MOST: u128 = 1 << 24;

#[derive(Serialize)]
struct Report<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<usize>,
    op: &'static str,
    device: String,
    labels: &'a [i64],
    dtype: &'static str,
    value: Option<Nested<'a>>,
}

/// Runs the operation on mapped files, whose elements others label.
pub fn run(args: &ReduceArgs, files: &[PathBuf], labels: &Path) -> Result<Outcome> {
    let name = args.op.name();
    let op = name.parse::<GroupOp>().map_err(|_| {
        Failure::usage(format!("--op with --labels: got {name}, expected {}", GroupOp::ALL.map(GroupOp::name).join(", ")))
    })?;
    if files.len() > 1 && !op.is_mergeable() {
        return Err(order::files_for(&format!("{name} with --labels"), files.len(), "one: it takes all elements together"));
    }
    let (op, labels) = (op.ddof(args.ddof), Beside::open(labels, files)?);
    let control = Control::new();
    let backend = crate::backend(&args.common)?.with_control(&control);
    interrupt::cancels(&control)?;
    let index = args.wanted.or(|| occurring(&backend, &labels))?;
    let found = reduce(&backend, files, &labels, op, &index)?;
    if let Some(path) = &args.output {
        let sink = Sink::create(path)?;
        npy::write(sink.file(), &found, &[index.len()]).map_err(|text| Failure::file(path, text))?;
        sink.finish()?;
    }
    if args.common.json {
        let shape = [index.len()];
        let value = args.output.is_none().then_some(Nested(&found, &shape));
        let (device, dtype) = (backend.info().id, found.dtype().name());
        let (file, files) = match files {
            [one] => (Some(one.to_string_lossy()), None),
            many => (None, Some(many.len())),
        };
        print_json(&Report { file, files, op: op.name(), device, labels: &index, dtype, value })?;
    } else if args.output.is_none() {
        print(Lines(|i| index[i], &found))?;
    }
    Ok(Outcome::Done)
}

/// A result for each label in `index`, of all files.
fn reduce(backend: &Backend, files: &[PathBuf], labels: &Beside, op: GroupOp, index: &[i64]) -> Result<HostVec> {
    let opened = files.iter().map(|path| Npy::open(path)).collect::<Result<Vec<_>>>()?;
    if let [npy] = &opened[..] {
        let here = labels.of(0)?;
        let keys = match (&here, labels) {
            (Some(here), _) | (None, Beside::Whole(here)) => here.operand()?,
            (None, Beside::Each(_)) => return Err(Failure::work("a file without labels")),
        };
        return Ok(backend.reduce_by_label(&npy.operand()?, &keys, op, Some(index))?.into_host()?);
    }
    let total = opened.iter().map(|npy| npy.shape().first().copied().unwrap_or(1)).sum();
    let (mut all, mut before): (Option<LabelPartials>, _) = (None, 0);
    for (i, npy) in opened.iter().enumerate() {
        let Some(&rows) = npy.shape().first() else {
            return Err(no_axis(npy));
        };
        let here = labels.of(i)?;
        let keys = labels.rows(here.as_ref(), npy.shape(), 0..rows, before..before + rows, total)?;
        let part = backend.label_partials(&npy.operand()?, &keys, op, Some(index))?;
        match &mut all {
            None => all = Some(part),
            Some(all) => all.merge(&part)?,
        }
        before += rows;
    }
    match all {
        Some(all) => Ok(all.finish()?.into_host()?),
        None => Err(Failure::usage("no file to reduce")),
    }
}

/// The labels that occur, ascending.
fn occurring(backend: &Backend, labels: &Beside) -> Result<Vec<i64>> {
    let paths = match labels {
        Beside::Whole(npy) => return occurring_in(backend, &npy.operand()?),
        Beside::Each(paths) => paths,
    };
    let mut all = std::collections::BTreeSet::new();
    for path in paths {
        all.extend(occurring_in(backend, &Npy::open(path)?.operand()?)?);
    }
    Ok(all.into_iter().collect())
}

/// The labels that occur in an array, ascending.
pub fn occurring_in(backend: &Backend, keys: &Operand<'_>) -> Result<Vec<i64>> {
    if keys.dtype().integer_range().is_none() {
        return Err(Failure::usage(format!("labels of {}; expected integers", keys.dtype())));
    }
    if keys.shape().contains(&0) {
        return Ok(vec![]);
    }
    let end = |how: Reduce| -> Result<i128> {
        let found = backend.reduce_dyn(keys, &how)?.into_host()?;
        let text = Nested(&found, &[]).to_string();
        let text = match text.as_str() {
            "true" => "1",
            "false" => "0",
            other => other,
        };
        text.parse().map_err(|_| Failure::work(format!("{text:?} is no label")))
    };
    let (least, most) = (end(Reduce::of(unisono::ReduceOp::Min))?, end(Reduce::of(unisono::ReduceOp::Max))?);
    if i64::try_from(most).is_err() {
        let expected = format!("expected none above {}, or --index with those that are wanted up to there", i64::MAX);
        return Err(Failure::usage(format!("labels from {least} to {most}; {expected}")));
    }
    if (most - least) as u128 >= MOST {
        return Err(Failure::usage(format!("labels from {least} to {most}; name those that are wanted with --index")));
    }
    let all: Vec<i64> = (least as i64..=most as i64).collect();
    let counts = backend.reduce_by_label(keys, keys, GroupOp::Count, Some(&all))?.typed::<u64>()?.into_vec()?;
    Ok(all.into_iter().zip(counts).filter(|(_, count)| *count > 0).map(|(label, _)| label).collect())
}
