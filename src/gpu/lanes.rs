//! Arrays as lanes on the device: which part of an array one dispatch walks, and where its elements and results lie.

use std::ops::Range;
use std::sync::Arc;

use super::context::Context;
use super::memory::{Block, Gathered, GpuBuffer};
use super::shaders;
use super::transfer::copy_elements;
use crate::array::{HostVec, Storage};
use crate::engine::{Input, Target};
use crate::plan::Lanes;
use crate::view::View;
use crate::{Control, Dtype, Result};

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

/// An array as `outer · len · inner` elements in C order: the lanes run along the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grid {
    pub(super) outer: usize,
    pub(super) len: usize,
    pub(super) inner: usize,
}

/// A part of a grid: some lanes, or a stretch of some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) outer: Range<usize>,
    pub(super) at: Range<usize>,
    pub(super) columns: Range<usize>,
}

impl Piece {
    /// The number of elements.
    pub(super) fn len(&self) -> usize {
        self.outer.len() * self.at.len() * self.columns.len()
    }

    /// The number of lanes.
    pub(super) fn lanes(&self) -> usize {
        self.outer.len() * self.columns.len()
    }

    /// The number, in the grid, of lane `lane` of the piece.
    pub(super) fn lane(&self, grid: Grid, lane: usize) -> usize {
        let width = self.columns.len();
        (self.outer.start + lane / width) * grid.inner + self.columns.start + lane % width
    }

    /// Where the elements of the piece lie, row by row, in an array of so many elements per lane: ranges in C order.
    pub(super) fn rows(&self, len: usize, inner: usize) -> impl Iterator<Item = Range<usize>> {
        let Self { outer, at, columns } = self.clone();
        // As long as the rows touch they are one.
        let (outer, at, columns) = match (columns.len() == inner, at.len() == len) {
            (true, true) => (0..1, 0..1, outer.start * len * inner..outer.end * len * inner),
            (true, false) => (outer, 0..1, at.start * inner..at.end * inner),
            _ => (outer, at, columns),
        };
        outer.flat_map(move |o| {
            let columns = columns.clone();
            at.clone().map(move |i| {
                let start = o * len * inner + i * inner;
                start + columns.start..start + columns.end
            })
        })
    }
}

impl Grid {
    /// The grid of lanes, and the order of axes that makes one of an array whose walked axes do not lie together.
    pub(super) fn of(lanes: &Lanes) -> (Self, Option<Vec<usize>>) {
        let product = |axes: &mut dyn Iterator<Item = usize>| axes.map(|axis| lanes.input[axis]).product();
        // A single axis stays where it is whatever its length: a scan may give it one result more.
        let single = lanes.walked.len() == 1;
        let long: Vec<usize> = lanes.walked.iter().copied().filter(|&axis| single || lanes.input[axis] != 1).collect();
        let (Some(&first), Some(&last)) = (long.first(), long.last()) else {
            return (Self { outer: lanes.count(), len: lanes.len(), inner: 1 }, None);
        };
        let together = (first..=last).all(|axis| lanes.walked.contains(&axis) || lanes.input[axis] == 1);
        if together {
            let (outer, inner) = (product(&mut (0..first)), product(&mut (last + 1..lanes.input.len())));
            return (Self { outer, len: lanes.len(), inner }, None);
        }
        let order = lanes.kept.iter().chain(&lanes.walked).copied().collect();
        (Self { outer: lanes.count(), len: lanes.len(), inner: 1 }, Some(order))
    }

    /// The number of lanes.
    pub(super) fn lanes(&self) -> usize {
        self.outer * self.inner
    }

    /// Parts of at most `most` elements: whole lanes where some fit, else stretches of a few lanes, one after the other.
    pub(super) fn pieces(&self, most: usize) -> Vec<Piece> {
        let Self { outer, len, inner } = *self;
        let most = most.max(64);
        let cut = |n: usize, step: usize| (0..n.div_ceil(step.max(1))).map(move |i| i * step..n.min((i + 1) * step));
        if len.saturating_mul(inner) <= most {
            // A multiple of 4 where it can be: narrow elements share words.
            let step = most / (len * inner).max(1);
            let step = if step >= 4 { step / 4 * 4 } else { step };
            return cut(outer, step).map(|outer| Piece { outer, at: 0..len, columns: 0..inner }).collect();
        }
        let columns = inner.min((most / len.max(1)).max(16));
        let rows = (most / columns / 4 * 4).max(4);
        let mut pieces = vec![];
        for o in 0..outer {
            for columns in cut(inner, columns) {
                let stretches = cut(len, if columns.len() * len <= most { len } else { rows });
                pieces.extend(stretches.map(|at| Piece { outer: o..o + 1, at, columns: columns.clone() }));
            }
        }
        pieces
    }

    /// Parts of at most `most` elements as [`pieces`](Self::pieces), of as broad rows as 256 of them allow.
    fn broad_pieces(&self, most: usize) -> Vec<Piece> {
        let Self { outer, len, inner } = *self;
        let columns = inner.min(most / 256 / 4 * 4).max(4);
        let rows = (most / columns).max(1);
        if len.saturating_mul(inner) <= most {
            return self.pieces(most);
        }
        let cut = |n: usize, step: usize| (0..n.div_ceil(step)).map(move |i| i * step..n.min((i + 1) * step));
        (0..outer)
            .flat_map(|o| cut(inner, columns).map(move |columns| (o, columns)))
            .flat_map(|(o, columns)| cut(len, rows).map(move |at| Piece { outer: o..o + 1, at, columns: columns.clone() }))
            .collect()
    }
}

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
    /// The grid of an operand. What lies elsewhere, or in an order that makes no grid, comes over the host.
    pub(super) fn new(
        context: &'a Arc<Context>,
        lanes: &Lanes,
        input: &'a Input<'_>,
        scratch: &'a mut Option<HostVec>,
    ) -> Result<Self> {
        let (grid, order) = Grid::of(lanes);
        let dtype = input.dtype();
        if let (Input::Gpu { buffer, .. }, None) = (input, &order)
            && buffer.belongs_to(context)
        {
            let place = match buffer.segments() {
                [segment] if buffer.bytes() / dtype.size() as u64 <= 1 << 31 => Whole::Resident(segment.block.clone()),
                _ => Whole::Segments(buffer),
            };
            return Ok(Self { context, grid, dtype, place });
        }
        let view = input.host(scratch)?;
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
            Whole::Segments(buffer) => self.collect(buffer, piece),
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

impl Source<'_> {
    /// A piece of an array in several segments: where it is, if one of them holds it, else a copy on the device.
    fn collect(&self, buffer: &GpuBuffer, piece: &Piece) -> Result<Placed> {
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
        let (width, bytes) = (piece.columns.len(), piece.len() as u64 * size);
        let block = self.context.block(bytes.next_multiple_of(4))?;
        let rows = || piece.rows(len, inner).map(|row| row.start as u64 * size..row.end as u64 * size);
        if rows().all(|row| row.start.is_multiple_of(4) && row.end.is_multiple_of(4)) {
            buffer.copy_rows(rows(), &block, false)?;
        } else {
            // Narrow elements that begin inside words.
            let mut host = Vec::with_capacity(bytes as usize);
            for row in rows() {
                let (start, count) = (host.len(), (row.end - row.start) as usize);
                host.resize(start + count, 0);
                let Gathered { block, offset } = buffer.locate(&row).map_or_else(|| buffer.gather(row), Ok)?;
                self.context.read_bytes(&block, offset, &mut host[start..])?;
            }
            self.context.upload(&block, bytes, &Control::new(), &mut |range, out| {
                out.copy_from_slice(&host[range.start as usize..range.end as usize]);
            })?;
        }
        Ok(Placed { block, start: 0, outer: (piece.at.len() * width) as u32, step: width as u32 })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_a_grid_once_and_in_order_along_each_lane() {
        for (outer, len, inner) in [(1, 1000, 1), (7, 10, 1), (3, 5, 4), (2, 300, 40), (1, 3, 700), (5, 100, 3), (2, 1, 1)] {
            let grid = Grid { outer, len, inner };
            for most in [64, 100, 513, 1025, 4099, 1 << 20] {
                let mut next = vec![0; grid.lanes()];
                let mut elements = vec![0; outer * len * inner];
                for piece in if most % 2 == 1 { grid.broad_pieces(most) } else { grid.pieces(most) } {
                    for lane in 0..piece.lanes() {
                        let lane = piece.lane(grid, lane);
                        assert_eq!(next[lane], piece.at.start, "{grid:?} {most} {piece:?}");
                        next[lane] = piece.at.end;
                    }
                    let rows: Vec<_> = piece.rows(len, inner).collect();
                    assert_eq!(rows.iter().map(Range::len).sum::<usize>(), piece.len());
                    rows.into_iter().flatten().for_each(|i| elements[i] += 1);
                }
                assert!(next.iter().all(|&end| end == len) && elements.iter().all(|&n| n == 1), "{grid:?} {most}");
            }
        }
    }

    #[test]
    fn lanes_that_lie_apart_are_put_in_order() {
        let lanes = |axes: &[isize]| Lanes::new("test", Dtype::F32, &[2, 3, 1, 4], Some(axes)).unwrap();
        assert_eq!(Grid::of(&lanes(&[1, 2])), (Grid { outer: 2, len: 3, inner: 4 }, None));
        assert_eq!(Grid::of(&lanes(&[1, 3])), (Grid { outer: 2, len: 12, inner: 1 }, None));
        assert_eq!(Grid::of(&lanes(&[2])), (Grid { outer: 6, len: 1, inner: 4 }, None));
        assert_eq!(Grid::of(&lanes(&[0, 3])), (Grid { outer: 3, len: 8, inner: 1 }, Some(vec![1, 2, 0, 3])));
    }
}
