//! Reductions group by group on the GPU: counts, by integer atomics. Sums and extremes by group are the CPU's.

use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::memory::Block;
use super::pipeline::{Pipeline, Shader, Slot};
use super::shaders;
use crate::engine::Input;
use crate::plan::{GroupOp, GroupPlan, Grouped, Groups};
use crate::{Control, Dtype, Error, Result};

/// Elements of an invocation: with a search for each, far fewer rounds than 32,768.
const ITEMS: u32 = 64;
/// Groups that are counted in workgroup memory.
const PRIVATE: u32 = 2048;
/// Bytes of an upload.
const UPLOAD: u64 = 16 << 20;
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
    pad0: u32,
    pad1: u32,
}

/// What the text depends on.
#[derive(Debug, Clone, Copy)]
struct Variant {
    dtype: Dtype,
    /// 0: thresholds, 1: keys in a row, 2: a sorted list.
    mode: u32,
    workgroup: u32,
    private: bool,
}

impl Variant {
    fn source(&self) -> String {
        let Self { dtype, mode, workgroup, private } = *self;
        let constants = format!(
            "const SIZE: u32 = {}u;\nconst PER: u32 = {}u;\nconst SIGNED: bool = {};\nconst FLOAT: bool = {};\nconst MODE: u32 = {mode}u;\n\
             const WG: u32 = {workgroup}u;\nconst ITEMS: u32 = {ITEMS}u;\nconst PRIVATE: bool = {private};\n\
             const LOCAL: u32 = {}u;\n",
            dtype.size(),
            (4 / dtype.size()).max(1),
            dtype.is_signed_integer(),
            dtype.is_float(),
            if private { PRIVATE } else { 1 },
        );
        constants + include_str!("../../shaders/group_count.wgsl")
    }
}

/// Every shader variant.
#[allow(dead_code, reason = "read by tests")]
pub(super) fn variants() -> Vec<shaders::Variant> {
    let layout = || shaders::layout!(Params { start, end, groups, thresholds, last_lo, last_hi, pad0, pad1 });
    let mut list = vec![];
    for dtype in Dtype::ALL {
        for mode in 0..3 {
            for private in [false, true] {
                let source = Variant { dtype, mode, workgroup: 64, private }.source();
                list.push(shaders::Variant { label: "group_count", source, layouts: vec![layout()] });
            }
        }
    }
    list
}

/// Runs a plan.
pub(super) fn run(
    context: &Arc<Context>,
    plan: &GroupPlan,
    keys: &Input<'_>,
    _values: Option<&Input<'_>>,
    control: &Control,
) -> Result<Grouped> {
    control.check()?;
    if plan.op != GroupOp::Count {
        let operation = format!("{} by group", plan.op.name());
        return Err(Error::Unsupported { device: context.id.clone(), operation, feature: "shader for it".into() });
    }
    let mut grouped = plan.empty();
    let (thresholds, last, mode) = match &plan.groups {
        Groups::Between { lower, last, .. } => (lower.clone(), *last, 0),
        Groups::Consecutive { first, .. } => (vec![*first], 0, 1),
        Groups::Listed(keys) => (keys.clone(), 0, 2),
    };
    if plan.work() == 0 || plan.groups.is_empty() || thresholds.is_empty() {
        control.advance(plan.work());
        return Ok(grouped);
    }
    let workgroup = context.limits.invocations.min(if context.caps.software { 64 } else { 256 });
    let private = plan.groups.len() <= PRIVATE as usize && 4 * PRIVATE <= context.limits.workgroup_memory;
    let variant = Variant { dtype: plan.keys, mode, workgroup, private };
    let pipeline = context.pipeline(&Shader {
        label: "group_count",
        source: &|| variant.source(),
        variant: &format!("{variant:?}"),
        constants: &[],
        workgroup: [workgroup, 1, 1],
        workgroup_bytes: if private { 4 * PRIVATE } else { 4 },
        slots: &[Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
    })?;
    let bytes: Vec<u8> = thresholds.iter().flat_map(|key| key.to_le_bytes()).collect();
    let table = context.block(bytes.len() as u64)?;
    context.upload(&table, bytes.len() as u64, control, &mut |range, out| {
        out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
    })?;
    let counts = context.block(4 * plan.groups.len() as u64)?;
    let mut counter =
        Counter { context, pipeline: &pipeline, workgroup, thresholds: thresholds.len(), last, table, counts, held: 0 };
    context.clear(&counter.counts, 4 * plan.groups.len() as u64)?;
    let size = plan.keys.size() as u64;
    match keys {
        Input::Gpu { buffer, .. } if buffer.belongs_to(context) => {
            for segment in buffer.segments() {
                counter.count(&segment.block, segment.bytes / size, &mut grouped, control)?;
            }
        }
        _ => {
            let mut scratch = None;
            let view = keys.host(&mut scratch)?;
            let packed;
            let all = match view.as_bytes() {
                Some(bytes) => bytes,
                None => {
                    let mut copy = vec![0; plan.work() as usize * size as usize];
                    view.copy_to_bytes(&mut copy);
                    packed = copy;
                    &packed
                }
            };
            let block = context.block(UPLOAD.min(context.max_block()).min((all.len() as u64).next_multiple_of(8)))?;
            for chunk in all.chunks((block.size() / 8 * 8) as usize) {
                context.upload(&block, chunk.len() as u64, control, &mut |range, out| {
                    out.copy_from_slice(&chunk[range.start as usize..range.end as usize]);
                })?;
                counter.count(&block, chunk.len() as u64 / size, &mut grouped, control)?;
            }
        }
    }
    counter.read(&mut grouped)?;
    Ok(grouped)
}

/// Counts on the device.
struct Counter<'a> {
    context: &'a Arc<Context>,
    pipeline: &'a Pipeline,
    workgroup: u32,
    thresholds: usize,
    last: u64,
    table: Block,
    counts: Block,
    /// Elements counted since the counts were read.
    held: u64,
}

impl Counter<'_> {
    /// Counts the first `len` elements of a block.
    fn count(&mut self, block: &Block, len: u64, grouped: &mut Grouped, control: &Control) -> Result<()> {
        if self.held + len > MOST {
            self.read(grouped)?;
        }
        self.held += len;
        let each = u64::from(self.workgroup) * u64::from(ITEMS);
        self.context.sliced("group_count", len, each, 1, control, &mut |range| {
            let params = Params {
                start: range.start as u32,
                end: range.end as u32,
                groups: grouped.counts.len() as u32,
                thresholds: self.thresholds as u32,
                last_lo: self.last as u32,
                last_hi: (self.last >> 32) as u32,
                pad0: 0,
                pad1: 0,
            };
            let binds = [
                Bind::Block(block),
                Bind::Block(&self.table),
                Bind::Block(&self.counts),
                Bind::Uniform(bytemuck::bytes_of(&params)),
            ];
            let groups = fold((range.end - range.start).div_ceil(each), &self.context.limits);
            self.context.submit(&[Dispatch { pipeline: self.pipeline, binds: &binds, groups }])
        })
    }

    /// Adds the counts to those on the host, and begins again.
    fn read(&mut self, grouped: &mut Grouped) -> Result<()> {
        let bytes = 4 * grouped.counts.len() as u64;
        let words = self.context.read_small(&self.counts, bytes)?;
        for (count, word) in grouped.counts.iter_mut().zip(words.as_chunks::<4>().0) {
            *count += u64::from(u32::from_le_bytes(*word));
        }
        self.held = 0;
        self.context.clear(&self.counts, bytes)
    }
}
