//! Reductions group by group on the GPU, by integer atomics: no order of the elements counts, and the bits are the CPU's.

mod median;
#[cfg(test)]
mod tests;
mod values;

use std::ops::Range;
use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::memory::{Block, GpuBuffer};
use super::pipeline::{Pipeline, Shader, Slot};
use super::transfer::copy_elements;
use super::{lanes, shaders};
use crate::array::collect;
use crate::engine::Input;
use crate::plan::{GroupOp, GroupPlan, Grouped, Groups};
use crate::view::View;
use crate::{Control, Dtype, Error, Result};

/// Elements of an invocation: with a search for each, far fewer rounds than 32,768.
const ITEMS: u32 = 64;
/// Groups that are counted in workgroup memory.
const PRIVATE: u32 = 2048;
/// Bytes of an upload.
const UPLOAD: usize = 16 << 20;
/// Elements of a chunk of what lies on the device.
const CHUNK: usize = 1 << 28;
/// Elements counted before the counts, of 32 bits, are read.
const MOST: u64 = 1 << 31;

#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Params {
    start: u32,
    end: u32,
    groups: u32,
    thresholds: u32,
    last_lo: u32,
    last_hi: u32,
    keys_first: u32,
    values_first: u32,
    group_first: u32,
    group_count: u32,
    shift: u32,
    cells: u32,
    cell_thresholds: u32,
    cells_last_lo: u32,
    cells_last_hi: u32,
    pad0: u32,
}

impl Params {
    fn layout() -> shaders::Layout {
        shaders::layout!(Params {
            start,
            end,
            groups,
            thresholds,
            last_lo,
            last_hi,
            keys_first,
            values_first,
            group_first,
            group_count,
            shift,
            cells,
            cell_thresholds,
            cells_last_lo,
            cells_last_hi,
            pad0,
        })
    }
}

/// How groups are found.
#[derive(Debug, Clone, Copy)]
struct Finder {
    dtype: Dtype,
    /// 0: thresholds, 1: keys in a row, 2: a sorted list.
    mode: u32,
    workgroup: u32,
}

impl Finder {
    fn source(self, constants: &str, parts: &[&str]) -> String {
        let Self { dtype, mode, workgroup } = self;
        let header = format!(
            "const KEY_SIZE: u32 = {}u;\nconst KEY_PER: u32 = {}u;\nconst KEY_SIGNED: bool = {};\nconst KEY_FLOAT: bool = {};\n\
             const MODE: u32 = {mode}u;\nconst WG: u32 = {workgroup}u;\nconst ITEMS: u32 = {ITEMS}u;\n",
            dtype.size(),
            (4 / dtype.size()).max(1),
            dtype.is_signed_integer(),
            dtype.is_float(),
        );
        let params = include_str!("../../../shaders/parts/group_params.wgsl");
        let mut all = vec![header.as_str(), constants, params, include_str!("../../../shaders/parts/group_find.wgsl")];
        all.extend(parts);
        all.push(include_str!("../../../shaders/parts/group_main.wgsl"));
        shaders::join(&all)
    }

    /// Counts of groups, or of bins of values of each.
    fn count_source(self, private: bool, cells: Option<Cells>) -> String {
        let local = if private { PRIVATE } else { 1 };
        let mut constants = format!("const PRIVATE: bool = {private};\nconst LOCAL: u32 = {local}u;\n");
        let count = include_str!("../../../shaders/group_count.wgsl");
        let Some(Cells { dtype, listed }) = cells else {
            return self.source(&constants, &[include_str!("../../../shaders/parts/group_alone.wgsl"), count]);
        };
        constants += &format!("{}const CELLS_LISTED: bool = {listed};\n", lanes::constants(dtype));
        let parts = [lanes::ELEMENT, include_str!("../../../shaders/parts/group_cells.wgsl"), count];
        self.source(&constants, &parts)
    }
}

/// How the bins of values are found.
#[derive(Debug, Clone, Copy)]
struct Cells {
    dtype: Dtype,
    listed: bool,
}

/// Every shader variant.
#[allow(dead_code, reason = "read by tests")]
pub(super) fn variants() -> Vec<shaders::Variant> {
    let mut list = vec![];
    for dtype in Dtype::ALL {
        for mode in 0..3 {
            for private in [false, true] {
                let finder = Finder { dtype, mode, workgroup: 64 };
                let cells = [
                    None,
                    Some(Cells { dtype: Dtype::ALL[mode as usize], listed: private }),
                    Some(Cells { dtype, listed: false }),
                ];
                for cells in cells.into_iter().filter(|cells| cells.is_none_or(|cells| !cells.dtype.is_complex())) {
                    let source = finder.count_source(private, cells);
                    list.push(shaders::Variant { label: "group_count", source, layouts: vec![Params::layout()] });
                }
            }
        }
    }
    list.extend(median::variants());
    list.extend(values::variants());
    list
}

/// Thresholds of groups, the last key, and the way to find one among them.
fn thresholds(groups: &Groups, as_cells: bool) -> Result<(Vec<u64>, u64, u32)> {
    let copy = |keys: &[u64]| collect(keys.iter().copied());
    Ok(match groups {
        Groups::Between { lower, last, .. } => (copy(lower)?, *last, 0),
        &Groups::Consecutive { first, count } if as_cells => {
            let last = first.wrapping_add(count as u64).wrapping_sub(1);
            (collect((0..count).map(|i| first.wrapping_add(i as u64)))?, last, 0)
        }
        Groups::Consecutive { first, .. } => (vec![*first], 0, 1),
        Groups::Listed(keys) => (copy(keys)?, keys.last().copied().unwrap_or(0), 2),
    })
}

/// Runs a plan.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &GroupPlan,
    keys: &Input<'_>,
    values: Option<&Input<'_>>,
    control: &Control,
) -> Result<Grouped> {
    control.check()?;
    let grouped = plan.empty()?;
    let (mut table, last, mode) = thresholds(&plan.groups, false)?;
    let cells = plan.cells.as_ref().map(|cells| Ok::<_, Error>((thresholds(cells, true)?, cells.len()))).transpose()?;
    if plan.work() == 0 || plan.results() == 0 || table.is_empty() || cells.as_ref().is_some_and(|cells| cells.0.0.is_empty()) {
        control.advance(plan.work());
        return Ok(grouped);
    }
    let workgroup = context.limits.invocations.min(if context.caps.software { 64 } else { 256 });
    let mut params = Params {
        groups: plan.groups.len() as u32,
        thresholds: table.len() as u32,
        last_lo: last as u32,
        last_hi: (last >> 32) as u32,
        ..bytemuck::Zeroable::zeroed()
    };
    let mut bins = None;
    if let (Some(((more, last, mode), count)), Some(dtype)) = (cells, plan.values) {
        (params.cells, params.cell_thresholds) = (count as u32, more.len() as u32);
        (params.cells_last_lo, params.cells_last_hi) = (last as u32, (last >> 32) as u32);
        table.extend(more);
        bins = Some(Cells { dtype, listed: mode == 2 });
    }
    let bytes: &[u8] = bytemuck::cast_slice(&table);
    context.check_fixed(bytes.len() as u64 + values::bytes(plan), &format!("{} groups", plan.groups.len()))?;
    let table = context.block(bytes.len() as u64)?;
    context.upload(&table, bytes.len() as u64, control, &mut |range, out| {
        out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
    })?;
    let search = Search { context, plan, control, finder: Finder { dtype: plan.keys, mode, workgroup }, table, params };
    match values {
        Some(values) if plan.op == GroupOp::Median => median::run(&search, keys, values, grouped),
        Some(values) if bins.is_some() => search.count(&[keys, values], bins, control, grouped),
        Some(values) if plan.values.is_some() => values::run(&search, keys, values, grouped),
        _ => search.count(&[keys], None, control, grouped),
    }
}

/// What all dispatches of a plan share.
struct Search<'a> {
    context: &'a Arc<Context>,
    plan: &'a GroupPlan,
    control: &'a Control,
    finder: Finder,
    table: Block,
    params: Params,
}

/// A shader that runs over the elements of chunks.
struct Pass<'a> {
    pipeline: &'a Pipeline,
    /// Of its speed.
    key: &'a str,
    params: Params,
    /// The bindings before the uniform.
    binds: &'a [Bind<'a>],
}

/// An operand, part by part.
enum Source<'a> {
    Resident(&'a GpuBuffer),
    Host(View<'a>),
}

/// A part of an operand: where, and its first element there.
type Part = (Block, u32);

/// What runs over a chunk that is on the device.
type PerChunk<'c> = dyn FnMut(Range<usize>, &[Part]) -> Result<()> + 'c;

impl Search<'_> {
    /// Calls `each` with chunks of the operands on the device: the elements, and where they lie.
    fn chunks(&self, inputs: &[&Input<'_>], each: &mut PerChunk<'_>) -> Result<()> {
        let mut memory = vec![None; inputs.len()];
        let mut sources = vec![];
        let (mut most, len) = (CHUNK, self.plan.work() as usize);
        for (input, memory) in inputs.iter().zip(&mut memory) {
            let size = input.dtype().size();
            most = most.min(self.context.max_block() as usize / size);
            sources.push(match input {
                Input::Gpu { buffer, .. } if buffer.belongs_to(self.context) => Source::Resident(buffer),
                _ => {
                    // Keys and values, states and thresholds.
                    most = most.min(UPLOAD.min(self.context.share(6) as usize) / size);
                    Source::Host(input.host(memory)?.collapsed())
                }
            });
        }
        // Whole words of every dtype.
        let most = (most / 1024 * 1024).max(1024);
        for start in (0..len).step_by(most) {
            self.control.check()?;
            let range = start..len.min(start + most);
            let part = |(source, input): (&Source<'_>, &&Input<'_>)| -> Result<Part> {
                let size = input.dtype().size();
                let bytes = (range.start * size) as u64..(range.end * size) as u64;
                match source {
                    Source::Resident(buffer) => {
                        let found = buffer.gather(bytes)?;
                        Ok((found.block, (found.offset / size as u64) as u32))
                    }
                    Source::Host(view) => {
                        let block = self.context.block(bytes.end - bytes.start)?;
                        self.context.upload(&block, bytes.end - bytes.start, self.control, &mut |piece, out| {
                            let at = |byte: u64| range.start as u64 + byte / size as u64;
                            copy_elements(view, at(piece.start)..at(piece.end), out);
                        })?;
                        Ok((block, 0))
                    }
                }
            };
            let parts = sources.iter().zip(inputs).map(part).collect::<Result<Vec<_>>>()?;
            each(range.clone(), &parts)?;
        }
        Ok(())
    }

    /// Runs a shader over the elements of a chunk.
    fn dispatch(&self, pass: &Pass<'_>, len: usize, parts: &[Part]) -> Result<()> {
        let each = u64::from(self.finder.workgroup) * u64::from(ITEMS);
        self.context.sliced(pass.key, len as u64, each, 0, self.control, &mut |range| {
            let first = |i: usize| parts.get(i).map_or(0, |part: &Part| part.1);
            let params = Params {
                start: range.start as u32,
                end: range.end as u32,
                keys_first: first(0),
                values_first: first(1),
                ..pass.params
            };
            let uniform = Bind::Uniform(bytemuck::bytes_of(&params));
            let binds: Vec<Bind<'_>> = pass.binds.iter().cloned().chain([uniform]).collect();
            let groups = fold((range.end - range.start).div_ceil(each), &self.context.limits);
            self.context.submit(&[Dispatch { pipeline: pass.pipeline, binds: &binds, groups }])
        })
    }

    /// Counts the elements of groups, or of bins of values of each.
    fn count(&self, inputs: &[&Input<'_>], bins: Option<Cells>, control: &Control, mut grouped: Grouped) -> Result<Grouped> {
        let (context, results) = (self.context, grouped.counts.len());
        let private = results <= PRIVATE as usize && 4 * PRIVATE <= context.limits.workgroup_memory;
        let pipeline = context.pipeline(&Shader {
            label: "group_count",
            source: &|| self.finder.count_source(private, bins),
            variant: &format!("{:?} {private} {bins:?}", self.finder),
            constants: &[],
            workgroup: [self.finder.workgroup, 1, 1],
            workgroup_bytes: if private { 4 * PRIVATE } else { 4 },
            slots: &[Slot::Read, Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
        })?;
        let bytes = 4 * results as u64;
        let counts = context.block(bytes)?;
        context.clear(&counts, bytes)?;
        let read = |grouped: &mut Grouped| -> Result<()> {
            let words = context.read_small(&counts, bytes)?;
            for (count, word) in grouped.counts.iter_mut().zip(words.as_chunks::<4>().0) {
                *count += u64::from(u32::from_le_bytes(*word));
            }
            context.clear(&counts, bytes)
        };
        let mut held = 0;
        self.chunks(inputs, &mut |range, parts| {
            if held + range.len() as u64 > MOST {
                read(&mut grouped)?;
                held = 0;
            }
            held += range.len() as u64;
            // Keys in the place of values, where there are none.
            let values = parts.get(1).unwrap_or(&parts[0]);
            let binds = [&parts[0].0, &self.table, &values.0, &counts].map(Bind::Block);
            let pass = Pass { pipeline: &pipeline, key: "group_count", params: self.params, binds: &binds };
            self.dispatch(&pass, range.len(), parts)?;
            control.advance(range.len() as u64);
            Ok(())
        })?;
        read(&mut grouped)?;
        Ok(grouped)
    }
}
