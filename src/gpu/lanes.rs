//! Arrays as lanes on the device: which part of an array one dispatch walks, and where its elements and results lie.

use std::ops::Range;
use std::sync::Arc;

use super::arrange::{self, Walk};
use super::context::Context;
use super::memory::{Block, Gathered, GpuBuffer};
use super::shaders;
use super::transfer::copy_elements;
use crate::array::{HostVec, Storage};
use crate::engine::{Input, Target};
use crate::plan::Lanes;
use crate::view::View;
use crate::{Control, Dtype, Result};

mod grid;

pub(super) use grid::{Grid, Piece};

/// See `shaders/parts/lanes_params.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Params {
    pub(super) lanes: u32,
    pub(super) width: u32,
    pub(super) len: u32,
    pub(super) blocks: u32,
    pub(super) start: u32,
    pub(super) outer: u32,
    pub(super) step: u32,
    pub(super) out_start: u32,
    pub(super) out_outer: u32,
    pub(super) out_step: u32,
    pub(super) lead: u32,
    pub(super) level: u32,
    pub(super) states: u32,
    pub(super) upper: u32,
    pub(super) upper_states: u32,
    pub(super) first: u32,
    pub(super) end: u32,
    pub(super) pad0: u32,
    pub(super) pad1: u32,
    pub(super) pad2: u32,
}

impl Params {
    /// How Rust lays it out.
    pub(super) fn layout() -> shaders::Layout {
        shaders::layout!(Params {
            lanes,
            width,
            len,
            blocks,
            start,
            outer,
            step,
            out_start,
            out_outer,
            out_step,
            lead,
            level,
            states,
            upper,
            upper_states,
            first,
            end,
            pad0,
            pad1,
            pad2,
        })
    }
}

pub(super) const PARAMS: &str = include_str!("../../shaders/parts/lanes_params.wgsl");
pub(super) const ELEMENT: &str = include_str!("../../shaders/parts/lanes_element.wgsl");

/// The constants that `lanes_element` and the order keys read.
pub(super) fn constants(dtype: Dtype) -> String {
    let (size, signed, float) = (dtype.size(), dtype.is_signed_integer(), dtype.is_float());
    format!(
        "const SIZE: u32 = {size}u;\nconst SIGNED: bool = {signed};\nconst FLOAT: bool = {float};\nconst WIDE: bool = {};\n",
        size == 8
    )
}

/// Rows up to which each is copied by itself.
const ROWS: usize = 64;

/// An operand as a grid.
pub(super) struct Source<'a> {
    context: &'a Arc<Context>,
    grid: Grid,
    dtype: Dtype,
    place: Whole<'a>,
}

enum Whole<'a> {
    /// In one binding.
    Resident(Block),
    /// In several, or of more elements than a shader counts.
    Segments(&'a GpuBuffer),
    /// On the device in another order.
    Turned(&'a GpuBuffer, Walk),
    Host(View<'a>),
}

/// A piece on the device.
pub(super) struct Placed {
    pub(super) block: Block,
    /// Where element 0 of lane 0 lies, how far apart lanes of neighbouring outer items, and neighbouring elements.
    pub(super) start: u32,
    pub(super) outer: u32,
    pub(super) step: u32,
}

impl<'a> Source<'a> {
    /// The grid of an operand. What lies elsewhere comes over the host; in another order, piece by piece on the device.
    pub(super) fn new(
        context: &'a Arc<Context>,
        lanes: &Lanes,
        input: &'a Input<'_>,
        scratch: &'a mut Option<HostVec>,
    ) -> Result<Self> {
        let (grid, order) = Grid::of(lanes);
        let dtype = input.dtype();
        if input.shape() != lanes.input
            && let Some(block) = spread(context, lanes, input, order.as_deref())?
        {
            return Ok(Self { context, grid, dtype, place: Whole::Resident(block) });
        }
        if let Input::Gpu { buffer, .. } = input
            && buffer.belongs_to(context)
            && input.shape() == lanes.input
        {
            let place = match (buffer.segments(), &order) {
                (_, Some(order)) => Walk::permuted(&lanes.input, order).map(|walk| Whole::Turned(buffer, walk)),
                ([segment], _) if buffer.bytes() / dtype.size() as u64 <= 1 << 31 => Some(Whole::Resident(segment.block.clone())),
                _ => Some(Whole::Segments(buffer)),
            };
            if let Some(place) = place {
                return Ok(Self { context, grid, dtype, place });
            }
        }
        let view = input.host(scratch)?;
        let view = view.broadcast(&lanes.input).unwrap_or(view);
        let view = order.map_or_else(|| view.clone(), |order| view.clone().permuted(&order)).collapsed();
        Ok(Self { context, grid, dtype, place: Whole::Host(view) })
    }

    pub(super) fn grid(&self) -> Grid {
        self.grid
    }

    /// Whether pieces of any size lie in one binding.
    pub(super) fn is_resident(&self) -> bool {
        matches!(self.place, Whole::Resident(..))
    }

    /// Whether it lies in several segments of device memory.
    pub(super) fn is_in_segments(&self) -> bool {
        matches!(self.place, Whole::Segments(..))
    }

    /// Parts of at most `most` elements of a grid like the operand's, but for the length of its lanes.
    pub(super) fn pieces(&self, grid: Grid, most: usize) -> Vec<Piece> {
        match self.place {
            Whole::Segments(_) => grid.broad_pieces(most),
            _ => grid.pieces(most),
        }
    }

    /// Brings a piece to the device.
    pub(super) fn place(&self, piece: &Piece, control: &Control) -> Result<Placed> {
        let (Grid { len, inner, .. }, size) = (self.grid, self.dtype.size());
        match &self.place {
            Whole::Resident(block) => {
                let start = (piece.outer.start * len + piece.at.start) * inner + piece.columns.start;
                Ok(Placed { block: block.clone(), start: start as u32, outer: (len * inner) as u32, step: inner as u32 })
            }
            Whole::Segments(buffer) => self.collect(buffer, piece, control),
            Whole::Turned(buffer, walk) => {
                // Pieces of a grid of one column are stretches.
                let walk = walk.from((piece.outer.start * len + piece.at.start) as u64);
                let block = arrange::run(self.context, buffer, size, &walk, piece.len(), control)?;
                Ok(Placed { block, start: 0, outer: piece.at.len() as u32, step: 1 })
            }
            Whole::Host(view) => {
                let bytes = (piece.len() * size) as u64;
                let block = self.context.block(bytes)?;
                self.context.upload(&block, bytes, control, &mut |range, out| {
                    let (mut at, mut skip, mut rest) = (0, range.start as usize / size, out);
                    for row in piece.rows(len, inner) {
                        let n = row.len();
                        if skip >= n {
                            skip -= n;
                            continue;
                        }
                        let count = (n - skip).min(rest.len() / size);
                        let (target, after) = rest.split_at_mut(count * size);
                        copy_elements(view, (row.start + skip) as u64..(row.start + skip + count) as u64, target);
                        (rest, skip, at) = (after, 0, at + count);
                        if rest.is_empty() {
                            break;
                        }
                    }
                    debug_assert_eq!(at * size, (range.end - range.start) as usize);
                })?;
                let (outer, step) = ((piece.at.len() * piece.columns.len()) as u32, piece.columns.len() as u32);
                Ok(Placed { block, start: 0, outer, step })
            }
        }
    }
}

/// An operand that is broadcast to an array of lanes, in the order of their grid, if the device has room for it.
fn spread(context: &Arc<Context>, lanes: &Lanes, input: &Input<'_>, order: Option<&[usize]>) -> Result<Option<Block>> {
    let (shape, count, size) = (&lanes.input, lanes.work() as usize, input.dtype().size());
    if count >= 1 << 31 || (count * size) as u64 > context.share(6) {
        return Ok(None);
    }
    let mut scratch = None;
    let buffer = match input {
        Input::Gpu { buffer, .. } if buffer.belongs_to(context) => (*buffer).clone(),
        _ => context.upload_view(&input.host(&mut scratch)?, &Control::new())?,
    };
    let (mut steps, mut step) = (vec![0; shape.len()], 1);
    for (to, &n) in steps.iter_mut().rev().zip(input.shape().iter().rev()) {
        *to = if n == 1 { 0 } else { step };
        step *= n as u64;
    }
    let axis = |axis: usize| (shape[axis] as u64, steps[axis]);
    let walk = match order {
        Some(order) => Walk::new(order.iter().map(|&at| axis(at)), 0),
        None => Walk::new((0..shape.len()).map(axis), 0),
    };
    walk.map(|walk| arrange::run(context, &buffer, size, &walk, count, &Control::new())).transpose()
}

impl Source<'_> {
    /// A piece of an array in several segments: where it is, if one of them holds it, else a copy on the device.
    fn collect(&self, buffer: &GpuBuffer, piece: &Piece, control: &Control) -> Result<Placed> {
        let (Grid { len, inner, .. }, size) = (self.grid, self.dtype.size() as u64);
        let first = (piece.outer.start * len + piece.at.start) * inner + piece.columns.start;
        let last = ((piece.outer.end - 1) * len + piece.at.end - 1) * inner + piece.columns.end;
        let span = first as u64 * size..last as u64 * size;
        let whole = piece.columns.len() == inner;
        let found = match buffer.locate(&span) {
            // Rows that touch are brought with all that lies between.
            None if whole => Some(buffer.gather(span)?),
            found => found,
        };
        if let Some(Gathered { block, offset }) = found {
            // Beyond 2^32 elements there is one outer item, and then one row.
            let (outer, step) = ((len as u64 * inner as u64) as u32, inner as u32);
            return Ok(Placed { block, start: (offset / size) as u32, outer, step });
        }
        let width = piece.columns.len();
        let (outer, step) = ((piece.at.len() * width) as u32, width as u32);
        let rows = || piece.rows(len, inner).map(|row| row.start as u64 * size..row.end as u64 * size);
        let axes =
            [(piece.outer.len(), len * inner), (piece.at.len(), inner), (width, 1)].map(|(n, step)| (n as u64, step as u64));
        let in_words = |row: Range<u64>| row.start.is_multiple_of(4) && row.end.is_multiple_of(4);
        match Walk::new(axes, first as u64) {
            // Few long rows are copied; narrow elements may begin inside words.
            Some(walk) if rows().nth(ROWS).is_some() || !rows().all(in_words) => {
                let block = arrange::run(self.context, buffer, size as usize, &walk, piece.len(), control)?;
                Ok(Placed { block, start: 0, outer, step })
            }
            _ => {
                let block = self.context.block(piece.len() as u64 * size)?;
                buffer.copy_rows(rows(), &block, false)?;
                Ok(Placed { block, start: 0, outer, step })
            }
        }
    }
}

/// Hands a result in host memory to where it was wanted.
pub(super) fn hand_over(
    context: &Arc<Context>,
    result: HostVec,
    shape: &[usize],
    target: Target<'_>,
    control: &Control,
) -> Result<Option<Storage>> {
    match target {
        Target::Device(_) => Ok(Some(Storage::Gpu(context.upload_view(&result.view(shape), control)?))),
        Target::Host(mut out) => {
            out.expect(result.dtype(), shape)?;
            out.copy_from_bytes(result.view(shape).as_bytes().unwrap_or(&[]));
            Ok(None)
        }
    }
}

/// A block for a result of so many bytes: what the target offers, if it fits.
pub(super) fn result_block(context: &Arc<Context>, old: Option<Storage>, bytes: u64) -> Result<Block> {
    match GpuBuffer::reuse(old, context).into_iter().find(|block| block.size() >= bytes) {
        Some(block) => Ok(block),
        None => context.block(bytes),
    }
}
