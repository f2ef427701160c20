//! `unisono map`: an expression over .npy files, written or reduced.

use serde::Serialize;
use unisono::{Control, Map, MapPlan};

use crate::args::{MapArgs, once};
use crate::erased::Nested;
use crate::failure::{Failure, Outcome, Result};
use crate::npy::{self, Npy};
use crate::output::{print, print_json};
use crate::sink::{Sink, refuse_inputs};
use crate::{interrupt, progress};

#[derive(Serialize)]
struct Report<'a> {
    device: String,
    expression: &'a str,
    dtype: &'static str,
    shape: &'a [usize],
    value: Option<Nested<'a>>,
}

pub fn run(args: &MapArgs) -> Result<Outcome> {
    once(&args.param)?;
    refuse_inputs(args.output.as_deref(), args.arrays.iter().map(|(_, path)| path))?;
    let mut how = Map::new(&args.expression)?;
    for (name, value) in &args.param {
        how = how.param(name, *value);
    }
    if let Some(dtype) = args.dtype {
        how = how.dtype(dtype);
    }
    let files = args.arrays.iter().map(|(_, path)| Npy::open(path)).collect::<Result<Vec<_>>>()?;
    let operands = files.iter().map(Npy::operand).collect::<Result<Vec<_>>>()?;
    let arrays: Vec<_> = args.arrays.iter().map(|(name, _)| name.as_str()).zip(operands).collect();
    let control = Control::new();
    let backend = crate::backend(&args.common)?.with_control(&control);
    interrupt::cancels(&control)?;
    let shapes: Vec<_> = arrays.iter().map(|(name, operand)| (*name, operand.dtype(), operand.shape())).collect();
    let bar = progress::bar(MapPlan::new(&how, &shapes)?.work(), "operations", args.common.json);
    let result = progress::follow(&bar, &control, || match args.reduce {
        Some(op) => backend.map_reduce_dyn(&how, op, &arrays),
        None => backend.map_dyn(&how, &arrays),
    });
    bar.finish_and_clear();
    let result = result?;
    let shape = result.shape().to_vec();
    let values = result.into_host()?;
    if let Some(path) = &args.output {
        let sink = Sink::create(path)?;
        npy::write(sink.file(), &values, &shape).map_err(|text| Failure::file(path, text))?;
        sink.finish()?;
    }
    if args.common.json {
        print_json(&Report {
            device: backend.info().id,
            expression: &args.expression,
            dtype: values.dtype().name(),
            shape: &shape,
            value: args.output.is_none().then_some(Nested(&values, &shape)),
        })?;
    } else if args.output.is_none() {
        print(format_args!("{}\n", Nested(&values, &shape)))?;
    }
    Ok(Outcome::Done)
}
