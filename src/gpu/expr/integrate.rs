//! Integrals in float32, and the tables that those of both dtypes need.

use std::sync::Arc;

use bytemuck::Zeroable;

use super::source::{self, Places};
use super::sums::{self, Slots};
use super::{GROUP, Params, double, unsupported, uploaded, user, values};
use crate::expr::scalar::Lane;
use crate::gpu::context::Context;
use crate::gpu::dispatch::{Bind, Dispatch};
use crate::gpu::memory::Block;
use crate::gpu::pipeline::{Shader, Slot, USERS};
use crate::plan::{BINS, Grid, IntegralSums, IntegratePlan, Native, Replicate, Sampling};
use crate::random::Sobol;
use crate::{Control, Dtype, Error, Result};

/// The most parameters that a function of WGSL has.
const COORDINATES: usize = 255;

/// The sums of an integrand over the plan's samples.
pub(in crate::gpu) fn sums(context: &Arc<Context>, plan: &IntegratePlan, control: &Control) -> Result<IntegralSums> {
    control.check()?;
    let native = match &plan.native {
        Some(native @ Native::Rust { .. }) => return Err(native.unsupported(&context.id)),
        Some(Native::Wgsl(source)) => Some(&**source),
        None => None,
    };
    if plan.dtype == Dtype::F64 {
        return double::sums(context, plan, control);
    }
    let mut uniforms: Vec<f32> = plan.program.uniforms(&plan.expression, &plan.bindings);
    let (dimensions, int64, first) = (plan.bounds.len(), context.caps.int64, uniforms.len());
    uniforms.extend(plan.parameters.iter().map(|&(_, value)| value as f32));
    let count = uniforms.len();
    let scales = || plan.bounds.iter().flat_map(|&[from, to]| [f32::nearest(from), f32::nearest(to - from)]).collect();
    let (places, numbers): (_, Vec<f32>) = match &plan.sampling {
        Sampling::Uniform => (Places::Uniform, scales()),
        Sampling::Sobol(_) => (Places::Sobol, scales()),
        Sampling::Grid(grid) => (Places::Grid, vec![f32::from_bits(grid.scale() as u32)]),
    };
    let keys = plan.philox().round_keys();
    let base = Params {
        keys: std::array::from_fn(|i| [keys[2 * i][0], keys[2 * i][1], keys[2 * i + 1][0], keys[2 * i + 1][1]]),
        values: values(context, uniforms.into_iter().chain(numbers))?,
        ..Params::zeroed()
    };
    if dimensions > COORDINATES {
        return Err(unsupported(context, "an integral", format!("room for more than {COORDINATES} coordinates")));
    }
    let mut slots = vec![Slot::ReadWrite, Slot::Uniform];
    if places == Places::Grid {
        slots.insert(0, Slot::Read);
        slots.insert(2, Slot::ReadWrite);
    }
    let directions = if let Sampling::Sobol(replicate) = &plan.sampling { Some(directions(context, replicate)?) } else { None };
    if directions.is_some() {
        slots.insert(0, Slot::Read);
    }
    let source = |text: Option<&str>| source::integrate((&plan.program, text), places, dimensions, count, int64);
    let text = native.map(|text| user::called(text, &plan.parameters, first, dimensions));
    if let Some(native) = native {
        user::check_names(native, &plan.parameters, &source(Some("")))?;
    }
    let sums = Slots::with_digits(context, sums::SUM_AND_SQUARES, GROUP)?;
    let pipeline = context.pipeline(&Shader {
        label: if native.is_some() { USERS } else { "expr_integrate" },
        source: &|| source(text.as_deref()),
        variant: &format!("{places:?} {:?} {count} {text:?}", plan.program.shape()),
        constants: &[],
        workgroup: [GROUP as u32, 1, 1],
        workgroup_bytes: sums.workgroup_bytes(),
        slots: &slots,
    });
    let pipeline = pipeline.map_err(|error| match error {
        // The user's mistake, not the device's.
        Error::Device { message, .. } if native.is_some() => {
            let function = format!("a function `integrand` of {dimensions} f32 that gives an f32, and what it needs");
            Error::invalid("integrand in WGSL", message, function)
        }
        error => error,
    })?;
    let grid = if let Sampling::Grid(grid) = &plan.sampling { Some(GridMemory::new(context, plan, grid)?) } else { None };
    let mut all = IntegralSums { count: plan.len(), ..plan.no_sums() };
    let cost = (plan.program.cost() + 8 * dimensions as u64).ilog2();
    let mut at = plan.samples.start;
    while at < plan.samples.end {
        let len = sums.most().min(plan.samples.end - at);
        context.sliced(&format!("expr_integrate {cost}"), len, GROUP, 1, control, &mut |slice| {
            let (first, count) = (at + slice.start, slice.end - slice.start);
            let params = Params { first: [first as u32, (first >> 32) as u32], count: count as u32, ..base };
            let mut binds = vec![Bind::Block(&sums.block), Bind::Uniform(bytemuck::bytes_of(&params))];
            if let Some(grid) = &grid {
                binds.insert(0, Bind::Block(&grid.cells));
                binds.insert(2, Bind::Block(&grid.counts));
            }
            if let Some(directions) = &directions {
                binds.insert(0, Bind::Block(directions));
            }
            context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups: sums.groups(count) }])
        })?;
        at += len;
    }
    [all.sum, all.squares] = sums.read(context, plan.len())?;
    if let Some(grid) = &grid {
        all.counts = grid.read(context)?;
    }
    Ok(all)
}

/// The direction numbers of Sobol's points, then the keys, in whole vectors.
pub(super) fn directions(context: &Arc<Context>, replicate: &Replicate) -> Result<Block> {
    let sobol = Sobol::new(replicate.keys.len())?;
    let numbers = (0..sobol.dimensions()).flat_map(|dimension| sobol.directions(dimension)).chain(&*replicate.keys);
    let mut words: Vec<u32> = numbers.copied().collect();
    words.resize(words.len().next_multiple_of(4), 0);
    uploaded(context, &words)
}

/// The cells of a grid, and what is counted in them, on the device.
pub(super) struct GridMemory {
    pub(super) cells: Block,
    pub(super) counts: Block,
    /// Bytes of the counts.
    len: u64,
}

impl GridMemory {
    fn new(context: &Arc<Context>, plan: &IntegratePlan, grid: &Grid) -> Result<Self> {
        let cells = grid.cells::<f32>(&plan.bounds);
        let words = cells.iter().flatten().flat_map(|cell| [cell.start, cell.width, cell.weight, 0.0].map(f32::to_bits));
        let memory = uploaded(context, &words.collect::<Vec<u32>>())?;
        Self::with_cells(context, memory, 2 * BINS * cells.len())
    }

    /// Cells, and so many words of counts, all 0.
    pub(super) fn with_cells(context: &Arc<Context>, cells: Block, words: usize) -> Result<Self> {
        let len = 4 * words as u64;
        let counts = context.block(len)?;
        context.clear(&counts, len)?;
        Ok(Self { cells, counts, len })
    }

    pub(super) fn read(&self, context: &Arc<Context>) -> Result<Vec<u64>> {
        let bytes = context.read_small(&self.counts, self.len)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|&count| u64::from_le_bytes(count)).collect())
    }
}
