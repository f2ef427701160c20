//! `unisono reduce`: mapped files, tile by tile, partials merged.

use std::borrow::Cow;
use std::ops::Range;
use std::path::PathBuf;

use indicatif::ProgressBar;
use ndarray::{ArrayViewD, ArrayViewMutD, IxDyn, Slice};
use ndarray_npy::ViewElement;
use serde::Serialize;
use unisono::{Backend, Control, Dtype, Element, HostVec, Operand, Partials, Reduce, ReduceOp, ReducePlan, View};

use crate::args::ReduceArgs;
use crate::beside::{self, Beside};
use crate::erased::{Nested, with_dtype, with_pair};
use crate::failure::{Failure, Outcome, Result};
use crate::npy::{self, Npy};
use crate::order::{self, Kind};
use crate::output::{print, print_json};
use crate::sink::{Sink, refuse_inputs};
use crate::{interrupt, labels, progress};

/// Bytes of input that are reduced at a time, and so what Ctrl-C waits for.
const TILE_BYTES: usize = 128 << 20;
/// Results whose partials are held at a time: an exact sum takes some 300 bytes.
const TILE_RESULTS: usize = 1 << 20;

#[derive(Serialize)]
struct Report<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<usize>,
    op: String,
    device: String,
    input_dtype: &'static str,
    input_shape: &'a [usize],
    dtype: &'static str,
    shape: &'a [usize],
    value: Option<Nested<'a>>,
}

pub fn run(args: &ReduceArgs) -> Result<Outcome> {
    order::check(args)?;
    let files = expand(&args.files)?;
    let beside = [&args.labels, &args.mask, &args.weights].into_iter().flatten();
    refuse_inputs(args.output.as_deref(), files.iter().chain(beside))?;
    if let Some(path) = &args.labels {
        return labels::run(args, &files, path);
    }
    let op = match args.op.kind {
        Kind::Reduce(op) if op != ReduceOp::Dot && (args.mask.is_none() || files.len() > 1) => op,
        _ => return order::run(args, &files),
    };
    let mask = args.mask.as_deref().map(|path| Beside::open(path, &files)).transpose()?;
    let how = how(args, op)?;
    let (dtype, input) = whole(&files)?;
    let plan = ReducePlan::new(&how, dtype, &input)?;
    let control = Control::new();
    let backend = crate::backend(&args.common)?.with_control(&control);
    interrupt::cancels(&control)?;
    let bar = progress::bar(plan.work(), "elements", args.common.json);
    let values = match &files[..] {
        [one] => {
            let npy = Npy::open(one)?;
            with_dtype!(dtype, T => tiles::<T>(&backend, &control, npy.typed::<T>()?, &how, &plan, &bar))
        }
        many => progress::follow(&bar, &control, || chunks(&backend, many, mask.as_ref(), &how, input[0])),
    };
    bar.finish_and_clear();
    let values = values?;
    if let Some(path) = &args.output {
        let sink = Sink::create(path)?;
        npy::write(sink.file(), &values, &plan.shape).map_err(|text| Failure::file(path, text))?;
        sink.finish()?;
    }
    if args.common.json {
        let single = files.len() == 1;
        print_json(&Report {
            file: single.then(|| files[0].to_string_lossy()),
            files: (!single).then_some(files.len()),
            op: args.op.name(),
            device: backend.info().id,
            input_dtype: dtype.name(),
            input_shape: &input,
            dtype: plan.out_dtype.name(),
            shape: &plan.shape,
            value: args.output.is_none().then_some(Nested(&values, &plan.shape)),
        })?;
    } else if args.output.is_none() {
        print(format_args!("{}\n", Nested(&values, &plan.shape)))?;
    }
    Ok(Outcome::Done)
}

/// The reduction that the arguments describe.
pub fn how(args: &ReduceArgs, op: ReduceOp) -> Result<Reduce> {
    let op = match (op, args.ord) {
        (ReduceOp::Norm(_), Some(order)) => ReduceOp::Norm(order),
        (op, _) => op,
    };
    let mut how = Reduce::of(op).ddof(args.ddof).overflow(args.overflow).mode(args.mode);
    if !args.axis.is_empty() {
        how = how.axes(&args.axis);
    }
    if let Some(dtype) = args.dtype {
        how = how.out_dtype(dtype);
    }
    let how = if args.skips_nan() { how.skip_nan() } else { how };
    let how = args.initial.iter().fold(how, |how, &initial| how.initial(initial));
    Ok(if args.keepdims { how.keepdims() } else { how })
}

/// The files named, folders replaced by the .npy files in them.
fn expand(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in named {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let fail = |error: std::io::Error| Failure::file(path, npy::reason(&error));
        let mut inside = Vec::new();
        for entry in std::fs::read_dir(path).map_err(fail)? {
            let file = entry.map_err(fail)?.path();
            if file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy")) {
                inside.push(file);
            }
        }
        if inside.is_empty() {
            return Err(Failure::file(path, "has no .npy file in it"));
        }
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

/// Dtype and shape of all files, end to end along the first axis.
fn whole(files: &[PathBuf]) -> Result<(Dtype, Vec<usize>)> {
    let mut all: Option<(Dtype, Vec<usize>)> = None;
    for path in files {
        let npy = Npy::open(path)?;
        if files.len() > 1 && npy.shape().is_empty() {
            return Err(no_axis(&npy));
        }
        match &mut all {
            None => all = Some((npy.dtype(), npy.shape().to_vec())),
            Some((dtype, shape)) => {
                if npy.shape().get(1..) != shape.get(1..) || npy.dtype() != *dtype {
                    let got = format!("{} {:?}", npy.dtype(), npy.shape());
                    return Err(Failure::file(
                        path,
                        format!(
                            "is {got}; expected {dtype}, and {:?} after the first axis, as the files before",
                            shape.get(1..).unwrap_or(&[])
                        ),
                    ));
                }
                let rows = shape[0].checked_add(npy.shape()[0]);
                shape[0] = rows.ok_or_else(|| Failure::file(path, "has more rows than can be counted with those before"))?;
            }
        }
    }
    all.ok_or_else(|| Failure::usage("no file to reduce"))
}

/// One of several files that has no first axis.
pub fn no_axis(npy: &Npy) -> Failure {
    Failure::file(npy.path(), "has no axis; files lie end to end along their first one")
}

/// The results over many files of so many rows together, each in tiles along the first axis.
fn chunks(backend: &Backend, files: &[PathBuf], mask: Option<&Beside>, how: &Reduce, total: usize) -> Result<HostVec> {
    let (mut all, mut before) = (backend.chunked(how), 0);
    for (index, path) in files.iter().enumerate() {
        let npy = Npy::open(path)?;
        let here = mask.map(|mask| mask.of(index)).transpose()?.flatten();
        let row = npy.shape().iter().skip(1).product::<usize>() * npy.dtype().size();
        let step = (TILE_BYTES / row.max(1)).max(1);
        let rows = npy.shape()[0];
        // A file without rows has one empty tile: it too says what the result is.
        for start in (0..rows.max(1)).step_by(step) {
            let range = start..rows.min(start + step);
            let tile = beside::part(&npy, range.clone())?;
            match mask {
                None => all.push(&tile)?,
                Some(mask) => {
                    let place = before + range.start..before + range.end;
                    all.push_where(&tile, &mask.rows(here.as_ref(), npy.shape(), range, place, total)?)?;
                }
            }
        }
        before += rows;
    }
    Ok(all.finish()?.into_host()?)
}

/// The results of the whole plan, from tiles that fit memory.
fn tiles<T: Element + ViewElement>(
    backend: &Backend,
    control: &Control,
    view: ArrayViewD<'_, T>,
    how: &Reduce,
    plan: &ReducePlan,
    bar: &ProgressBar,
) -> Result<HostVec> {
    let cut = Cut::new(plan, view.strides());
    let kept_shape: Vec<usize> = plan.kept.iter().map(|&axis| plan.input[axis]).collect();
    let mut whole = HostVec::zeros(plan.out_dtype, plan.out_len())?;
    progress::follow(bar, control, || -> Result<()> {
        for kept in cut.boxes(&plan.kept) {
            let tile_plan = narrowed(plan, &plan.kept, &kept);
            let mut partials: Option<Partials> = None;
            let single = cut.is_single(&plan.reduced);
            for reduced in cut.boxes(&plan.reduced) {
                let ranges = arrange(plan, &kept, &reduced);
                let mut tile = view.clone();
                tile.slice_each_axis_inplace(|axis| {
                    let range = &ranges[axis.axis.index()];
                    Slice::from(range.start as isize..range.end as isize)
                });
                let operand = Operand::from(View::from_ndarray(tile.view()));
                let axes: Vec<isize> = plan.reduced.iter().map(|&axis| axis as isize).collect();
                let how = how.retyped(plan.op).axes(&axes);
                if single {
                    let values = backend.reduce_dyn(&operand, &how)?.into_host()?;
                    place(&mut whole, &kept_shape, &values, &kept)?;
                    continue;
                }
                let (_, mut part) = backend.reduce_partials(&operand, &how)?;
                relocate(&mut part, plan, &ranges);
                match &mut partials {
                    None => partials = Some(part),
                    Some(sum) => sum.merge(&part, plan.op, 0)?,
                }
            }
            if !single {
                let partials = partials.unwrap_or_else(|| tile_plan.empty_partials());
                place(&mut whole, &kept_shape, &tile_plan.finish(&partials)?, &kept)?;
            }
        }
        Ok(())
    })?;
    Ok(whole)
}

/// How long a tile is along every axis.
struct Cut {
    input: Vec<usize>,
    step: Vec<usize>,
}

impl Cut {
    /// Cuts along the axes with the largest strides first, so that tiles are as contiguous as they can be; then, if
    /// partials have to be kept, until their number is bounded.
    fn new(plan: &ReducePlan, strides: &[isize]) -> Self {
        let mut step: Vec<usize> = plan.input.iter().map(|&n| n.max(1)).collect();
        let mut order: Vec<usize> = (0..step.len()).collect();
        order.sort_by_key(|&axis| std::cmp::Reverse(strides[axis].unsigned_abs()));
        let limit = TILE_BYTES / plan.dtype.size();
        shrink(&mut step, &order, limit);
        let cut = Self { input: plan.input.clone(), step };
        if cut.is_single(&plan.reduced) {
            return cut;
        }
        let Self { input, mut step } = cut;
        let kept: Vec<usize> = order.into_iter().filter(|axis| plan.kept.contains(axis)).collect();
        let reduced: usize = plan.reduced.iter().map(|&axis| step[axis]).product();
        shrink(&mut step, &kept, TILE_RESULTS.saturating_mul(reduced));
        Self { input, step }
    }

    /// Whether a tile reaches over the whole of these axes.
    fn is_single(&self, axes: &[usize]) -> bool {
        axes.iter().all(|&axis| self.step[axis] >= self.input[axis])
    }

    /// Every tile's ranges along these axes.
    fn boxes(&self, axes: &[usize]) -> Vec<Vec<Range<usize>>> {
        axes.iter().fold(vec![vec![]], |boxes, &axis| {
            let (n, step) = (self.input[axis], self.step[axis]);
            let ranges: Vec<_> = (0..n.div_ceil(step).max(1)).map(|i| (i * step).min(n)..((i + 1) * step).min(n)).collect();
            boxes.iter().flat_map(|front| ranges.iter().map(|range| [&front[..], std::slice::from_ref(range)].concat())).collect()
        })
    }
}

/// Shortens `step` along `axes`, in this order, until its product is at most `limit` or nothing is left to cut.
fn shrink(step: &mut [usize], axes: &[usize], limit: usize) {
    for &axis in axes {
        let others: usize = step.iter().enumerate().filter(|&(i, _)| i != axis).map(|(_, &n)| n).product();
        step[axis] = step[axis].min((limit / others.max(1)).max(1));
    }
}

/// The ranges of a tile in the order of the input's axes.
fn arrange(plan: &ReducePlan, kept: &[Range<usize>], reduced: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut ranges = vec![0..0; plan.input.len()];
    for (&axis, range) in plan.kept.iter().zip(kept).chain(plan.reduced.iter().zip(reduced)) {
        ranges[axis] = range.clone();
    }
    ranges
}

fn narrowed(plan: &ReducePlan, axes: &[usize], ranges: &[Range<usize>]) -> ReducePlan {
    axes.iter().zip(ranges).fold(plan.clone(), |plan, (&axis, range)| plan.narrow(axis, range.clone()))
}

/// Turns the indices that an arg-reduction found within a tile into those of the whole.
fn relocate(partials: &mut Partials, plan: &ReducePlan, ranges: &[Range<usize>]) {
    let Partials::Arg(found) = partials else { return };
    for (_, index) in found.iter_mut().flatten() {
        let (mut local, mut global, mut stride) = (*index, 0u64, 1u64);
        for &axis in plan.reduced.iter().rev() {
            let n = ranges[axis].len().max(1) as u64;
            global += (local % n + ranges[axis].start as u64) * stride;
            local /= n;
            stride *= plan.input[axis] as u64;
        }
        *index = global;
    }
}

/// Copies the results of a tile to their place.
fn place(whole: &mut HostVec, shape: &[usize], part: &HostVec, ranges: &[Range<usize>]) -> Result<()> {
    let lengths: Vec<usize> = ranges.iter().map(Range::len).collect();
    let wrong = |error: ndarray::ShapeError| Failure::work(format!("a tile of {lengths:?} does not fit {shape:?}: {error}"));
    with_pair!((whole, part), whole, part => {
        let mut whole = ArrayViewMutD::from_shape(IxDyn(shape), whole).map_err(wrong)?;
        let part = ArrayViewD::from_shape(IxDyn(&lengths), part).map_err(wrong)?;
        whole.slice_each_axis_mut(|axis| {
            let range = &ranges[axis.axis.index()];
            Slice::from(range.start as isize..range.end as isize)
        }).assign(&part);
        Ok(())
    }, else Err(Failure::work("a tile has another dtype than the result")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_everything_once_and_stay_small() {
        for (shape, axes) in [
            (vec![1000, 3, 700_000], vec![0]),
            (vec![5_000_000_000], vec![0]),
            (vec![4, 900_000_000], vec![0]),
            (vec![0, 3], vec![0]),
            (vec![], vec![]),
        ] {
            let plan = ReducePlan::new(&Reduce::sum().axes(&axes), Dtype::F64, &shape).unwrap();
            let strides: Vec<isize> = (0..shape.len()).map(|i| shape[i + 1..].iter().product::<usize>() as isize).collect();
            let cut = Cut::new(&plan, &strides);
            let all: Vec<usize> = (0..shape.len()).collect();
            let sizes: Vec<usize> = cut.boxes(&all).iter().map(|ranges| ranges.iter().map(Range::len).product()).collect();
            assert_eq!(sizes.iter().sum::<usize>(), shape.iter().product::<usize>());
            assert!(sizes.iter().all(|&n| n * 8 <= TILE_BYTES));
        }
    }

    #[test]
    fn an_index_within_a_tile_is_found_in_the_whole() {
        let plan = ReducePlan::new(&Reduce::argmin(), Dtype::U8, &[4, 5, 6]).unwrap();
        let mut partials = Partials::Arg(vec![Some((0, 7)), None]);
        relocate(&mut partials, &plan, &[1..3, 2..4, 3..6]);
        assert_eq!(partials, Partials::Arg(vec![Some((0, (2 * 5 + 2) * 6 + 3 + 1)), None]));
    }
}
