//! `unisono histogram`: elements between edges, for every label, or by value.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;
use unisono::{Backend, Bins, Control, Histogram, HostVec, Operand};

use crate::args::HistogramArgs;
use crate::erased::{Lines, Nested};
use crate::failure::{Failure, Outcome, Result};
use crate::interrupt;
use crate::labels::occurring_in;
use crate::npy::{self, Npy};
use crate::output::{print, print_json};
use crate::sink::{Sink, refuse_inputs};

#[derive(Serialize)]
struct Bars<'a> {
    file: Cow<'a, str>,
    device: String,
    edges: &'a [f64],
    counts: &'a [u64],
    values: Vec<f64>,
}

#[derive(Serialize)]
struct Rows<'a> {
    file: Cow<'a, str>,
    device: String,
    edges: &'a [f64],
    labels: &'a [i64],
    counts: Option<Nested<'a>>,
}

#[derive(Serialize)]
struct Values<'a> {
    file: Cow<'a, str>,
    device: String,
    dtype: &'static str,
    values: Option<Nested<'a>>,
}

/// Runs the command.
pub fn run(args: &HistogramArgs) -> Result<Outcome> {
    let beside = [&args.weights, &args.labels].into_iter().flatten();
    refuse_inputs(args.output.as_deref(), std::iter::once(&args.file).chain(beside))?;
    let npy = Npy::open(&args.file)?;
    let weights = args.weights.as_deref().map(Npy::open).transpose()?;
    let control = Control::new();
    let backend = crate::backend(&args.common)?.with_control(&control);
    interrupt::cancels(&control)?;
    let (operand, second) = (npy.operand()?, weights.as_ref().map(Npy::operand).transpose()?);
    if args.bincount {
        return by_value(args, &backend, &operand, second.as_ref());
    }
    let mut bins = if args.edges.is_empty() { Bins::uniform(args.bins) } else { Bins::edges(&args.edges) };
    match args.range[..] {
        [] => {}
        [low, high] => bins = bins.range(low, high),
        _ => return Err(Failure::usage(format!("--range: got {:?}, expected two numbers", args.range))),
    }
    let found = backend.histogram_dyn(&operand, second.as_ref(), &bins)?;
    match &args.labels {
        Some(path) => by_label(args, &backend, &operand, &Npy::open(path)?.operand()?, found.edges()),
        None => whole(args, &backend, &found),
    }
}

/// Writes a result to the file of `--output`, if there is one. The answer is whether there is.
fn write(args: &HistogramArgs, vec: &HostVec, shape: &[usize]) -> Result<bool> {
    let Some(path) = &args.output else { return Ok(false) };
    let sink = Sink::create(path)?;
    npy::write(sink.file(), vec, shape).map_err(|text| Failure::file(path, text))?;
    sink.finish()?;
    Ok(true)
}

/// Prints or writes the histogram of all elements.
fn whole(args: &HistogramArgs, backend: &Backend, found: &Histogram) -> Result<Outcome> {
    let values = if args.density { found.density() } else { found.values() };
    let counts = !args.density && !found.is_weighted();
    let vec = if counts { HostVec::U64(found.counts().to_vec()) } else { HostVec::F64(values.clone()) };
    let written = write(args, &vec, &[vec.len()])?;
    if args.common.json {
        let (file, device) = (args.file.to_string_lossy(), backend.info().id);
        print_json(&Bars { file, device, edges: found.edges(), counts: found.counts(), values })?;
    } else if !written {
        let largest = values.iter().copied().fold(0.0, f64::max);
        let mut text = String::new();
        for (i, (value, edges)) in values.iter().zip(found.edges().windows(2)).enumerate() {
            let shown = if counts { format!("{}", found.counts()[i]) } else { format!("{value}") };
            let bar =
                if largest > 0.0 { "█".repeat((40.0 * value.max(0.0) / largest).round() as usize) } else { String::new() };
            text += format!("{:>12} … {:<12} {shown:>12}  {bar}", edges[0], edges[1]).trim_end();
            text.push('\n');
        }
        print(&text)?;
    }
    Ok(Outcome::Done)
}

/// Prints or writes a row of counts for every label.
fn by_label(
    args: &HistogramArgs,
    backend: &Backend,
    values: &Operand<'_>,
    labels: &Operand<'_>,
    edges: &[f64],
) -> Result<Outcome> {
    let index = args.wanted.or(|| occurring_in(backend, labels))?;
    let counts = backend.histogram_by_label(values, labels, &Bins::edges(edges), Some(&index))?;
    let (shape, counts) = (counts.shape().to_vec(), counts.into_host()?);
    let written = write(args, &counts, &shape)?;
    if args.common.json {
        let (device, counts) = (backend.info().id, (!written).then_some(Nested(&counts, &shape)));
        print_json(&Rows { file: args.file.to_string_lossy(), device, edges, labels: &index, counts })?;
    } else if !written {
        // Bins side by side, a line for every label.
        let mut text = String::from("label");
        edges.windows(2).for_each(|edges| _ = write!(text, "\t{} … {}", edges[0], edges[1]));
        text.push('\n');
        let HostVec::U64(counts) = &counts else { return Err(Failure::work("counts that are none")) };
        for (label, counts) in index.iter().zip(counts.chunks_exact(edges.len().saturating_sub(1).max(1))) {
            let _ = write!(text, "{label}");
            counts.iter().for_each(|count| _ = write!(text, "\t{count}"));
            text.push('\n');
        }
        print(&text)?;
    }
    Ok(Outcome::Done)
}

/// Prints or writes how often each of the values 0, 1, 2 … occurs, or the sums of its weights.
fn by_value(args: &HistogramArgs, backend: &Backend, values: &Operand<'_>, weights: Option<&Operand<'_>>) -> Result<Outcome> {
    let found = backend.bincount(values, weights, args.min_length)?.into_host()?;
    let shape = [found.len()];
    let written = write(args, &found, &shape)?;
    if args.common.json {
        let (file, values) = (args.file.to_string_lossy(), (!written).then_some(Nested(&found, &shape)));
        print_json(&Values { file, device: backend.info().id, dtype: found.dtype().name(), values })?;
    } else if !written {
        print(Lines(|value| value, &found))?;
    }
    Ok(Outcome::Done)
}
