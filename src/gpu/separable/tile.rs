//! Passes in tiles: `separable_tile.wgsl` makes one pass, or two over neighbouring axes without a trip through memory.

use bytemuck::{Pod, Zeroable};

use super::passes::{WORDS, Work, number};
use crate::gpu::context::Context;
use crate::gpu::dispatch::{Bind, Dispatch, fold};
use crate::gpu::memory::{Block, Gathered};
use crate::gpu::pipeline::{Shader, Slot};
use crate::gpu::shaders::{Variant, join, layout};
use crate::plan::Pass;
use crate::{Dtype, Result};

const TILE: &str = include_str!("../../../shaders/separable_tile.wgsl");
const BOUNDARY: &str = include_str!("../../../shaders/parts/boundary.wgsl");
const FOUR: &str = include_str!("../../../shaders/parts/separable_four.wgsl");
const FOUR_PACKED: &str = include_str!("../../../shaders/parts/separable_four_packed.wgsl");
const SUMS: &str = include_str!("../../../shaders/parts/separable_sums.wgsl");
const PACKED: &str = include_str!("../../../shaders/parts/separable_packed.wgsl");

/// Invocations of a workgroup, and outputs that they make at most.
const GROUP: u64 = 128;
const OUTPUTS: usize = 2048;
/// Bytes of workgroup memory to choose from: few, for each makes a shader to compile.
const MEMORY: [u32; 4] = [10 << 10, 16 << 10, 24 << 10, 32 << 10];
/// Elements beside an axis from which on it is filtered as rows are: one behind the other.
const BESIDE: usize = 32;
/// Weights of a pass, and where it may start: larger ones take the shader without tiles.
const MOST_TAPS: usize = 1024;
const MOST_START: usize = 16 << 10;
/// Elements that a row of sums may read beside its own.
const MOST_BESIDE: usize = 512;
/// Multiply-adds that a trip through memory of one element is worth.
const TRIP: usize = 40;

/// The uniforms of `separable_tile.wgsl`.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
struct Params {
    length_y: u32,
    outputs_y: u32,
    start_y: i32,
    boundary_y: u32,
    taps_y: u32,
    length_x: u32,
    outputs_x: u32,
    start_x: i32,
    boundary_x: u32,
    taps_x: u32,
    inner: u32,
    first: u32,
    along_at: u32,
    fill_at: u32,
    width: u32,
    height: u32,
    pitch: u32,
    tiles_y: u32,
    tiles_x: u32,
    group_first: u32,
    group_end: u32,
    unused_a: u32,
    unused_b: u32,
    unused_c: u32,
}

/// An axis as a tile sees it.
struct Side<'a> {
    length: usize,
    outputs: usize,
    pass: Option<&'a Pass>,
}

impl Side<'_> {
    fn taps(&self) -> usize {
        self.pass.map_or(1, |pass| pass.weights.len())
    }

    fn start(&self) -> isize {
        self.pass.map_or(0, |pass| pass.start)
    }

    /// The weights in whole vectors.
    fn weights(&self) -> Vec<f64> {
        let mut weights = self.pass.map_or_else(|| vec![1.0], |pass| pass.weights.clone());
        weights.resize(weights.len().next_multiple_of(4), 0.0);
        weights
    }

    fn boundary(&self) -> (u32, f64) {
        self.pass.map_or((0, 0.0), |pass| (number(pass.boundary), pass.boundary.fill()))
    }
}

/// One or two passes as tiles make them.
pub(super) struct Tiled {
    params: Params,
    weights: Vec<f64>,
    /// Elements of workgroup memory.
    tile: u32,
    outer: usize,
    /// Multiply-adds.
    work: u64,
}

impl Tiled {
    /// The first pass, or the first two if that saves something, over an array of this shape; also the number of passes.
    /// `None` if tiles are not for it.
    pub(super) fn new(
        context: &Context,
        shape: &[usize],
        passes: &[&Pass],
        double: bool,
        commutes: bool,
    ) -> Option<(Self, usize)> {
        let fused = match passes {
            [first, second, ..] if first.axis + 1 == second.axis => {
                Self::over(context, shape, [Some(first), Some(second)], double)
            }
            [first, second, ..] if second.axis + 1 == first.axis && commutes => {
                Self::over(context, shape, [Some(second), Some(first)], double)
            }
            _ => None,
        };
        if let Some(fused) = fused {
            return Some((fused, 2));
        }
        let pass = passes.first()?;
        let inner: usize = shape[pass.axis + 1..].iter().product();
        let alone = if inner >= BESIDE { [Some(*pass), None] } else { [None, Some(*pass)] };
        Some((Self::over(context, shape, alone, double)?, 1))
    }

    /// A pass down and one along the axis behind it, or one of them.
    fn over(context: &Context, shape: &[usize], [down, along]: [Option<&Pass>; 2], double: bool) -> Option<Self> {
        let behind = |axis: usize| shape[axis + 1..].iter().product::<usize>();
        let before = |axis: usize| shape[..axis].iter().product::<usize>();
        let (outer, y, x, inner) = match (down, along) {
            (Some(down), Some(along)) => {
                let y = Side { length: shape[down.axis], outputs: down.output, pass: Some(down) };
                let x = Side { length: shape[along.axis], outputs: along.output, pass: Some(along) };
                (before(down.axis), y, x, behind(along.axis))
            }
            (Some(down), None) => {
                let beside = behind(down.axis);
                let y = Side { length: shape[down.axis], outputs: down.output, pass: Some(down) };
                (before(down.axis), y, Side { length: beside, outputs: beside, pass: None }, 1)
            }
            (None, Some(along)) => {
                let rows = before(along.axis);
                let x = Side { length: shape[along.axis], outputs: along.output, pass: Some(along) };
                (1, Side { length: rows, outputs: rows, pass: None }, x, behind(along.axis))
            }
            (None, None) => return None,
        };
        let fits = |side: &Side<'_>| side.taps() <= MOST_TAPS && side.start().unsigned_abs() < MOST_START;
        let beside = (x.taps() - 1) * inner;
        let limits = &context.limits;
        let size = if double { 8 } else { 4 };
        let tiles = MEMORY.map(|bytes| bytes.min(limits.workgroup_memory) as usize / size);
        let memory = tiles[3];
        if inner >= BESIDE || !fits(&x) || !fits(&y) || beside > MOST_BESIDE || u64::from(limits.invocations) < GROUP {
            return None;
        }
        // Eight sums of a row lie `inner` apart.
        let eights = 8 * inner;
        let wide = if beside > 128 { 256 } else { 128 };
        let width = (wide.max(eights) / eights * eights).min((x.outputs * inner).next_multiple_of(eights));
        let pitch = (width + beside).next_multiple_of(4);
        let room = |height: usize| pitch * height + pitch * height / 32 + 1;
        let mut height = (OUTPUTS / width / 4 * 4).max(4).min(y.outputs.next_multiple_of(4));
        while height > 4 && room(height) > memory {
            height = (height / 2).next_multiple_of(4);
        }
        // Two passes at once make sums down beside the tile as well: worth it only if they are few.
        let wasteful = down.is_some() && along.is_some() && y.taps() * beside > TRIP * width;
        if room(height) > memory || width * height > OUTPUTS || wasteful {
            return None;
        }
        let [(boundary_y, fill_y), (boundary_x, fill_x)] = [y.boundary(), x.boundary()];
        let mut weights = y.weights();
        let along_at = weights.len() / 4;
        weights.extend(x.weights());
        let fill_at = weights.len() / 4;
        weights.extend([fill_y, fill_x, 0.0, 0.0]);
        let row = x.outputs * inner;
        let params = Params {
            length_y: y.length as u32,
            outputs_y: y.outputs as u32,
            start_y: y.start() as i32,
            boundary_y,
            taps_y: y.taps() as u32,
            length_x: x.length as u32,
            outputs_x: x.outputs as u32,
            start_x: x.start() as i32,
            boundary_x,
            taps_x: x.taps() as u32,
            inner: inner as u32,
            along_at: along_at as u32,
            fill_at: fill_at as u32,
            width: width as u32,
            height: height as u32,
            pitch: pitch as u32,
            tiles_y: y.outputs.div_ceil(height) as u32,
            tiles_x: row.div_ceil(width) as u32,
            ..Params::default()
        };
        // What the passes one after the other do: the unit of progress.
        let (first, second) = match (down, along) {
            (Some(_), Some(_)) => (y.outputs * x.length * y.taps(), y.outputs * x.outputs * x.taps()),
            _ => (y.outputs * x.outputs * y.taps().max(x.taps()), 0),
        };
        let work = ((first + second) * outer * inner) as u64;
        let tile = tiles.into_iter().find(|&tile| tile >= room(height)).unwrap_or(memory) as u32;
        Some(Self { params, weights, tile, outer, work })
    }

    /// Whether the last of the passes can round and pack its sums to a dtype itself.
    pub(super) fn packs(&self, out: Dtype) -> bool {
        let per = match out {
            Dtype::U8 | Dtype::I8 => 4,
            Dtype::U16 | Dtype::I16 => 2,
            _ => return false,
        };
        (self.params.outputs_x * self.params.inner).is_multiple_of(per)
    }
}

impl Work<'_> {
    /// Makes one or two passes; rounds to a dtype that [packs](Tiled::packs) if there is one.
    pub(super) fn tiles(&self, tiled: &Tiled, from: &Gathered, dtype: Dtype, to: &Block, packed: Option<Dtype>) -> Result<()> {
        let context = self.context;
        let pipeline = context.pipeline(&Shader {
            label: "separable_tile",
            source: &|| source(self.double, dtype, packed),
            variant: &format!("{} {dtype} {packed:?}", self.double),
            constants: &[("TILE", f64::from(tiled.tile))],
            workgroup: [GROUP as u32, 1, 1],
            workgroup_bytes: tiled.tile * if self.double { 8 } else { 4 },
            slots: &[Slot::Read, Slot::Read, Slot::ReadWrite, Slot::Uniform],
        })?;
        let weights = self.upload_weights(&tiled.weights)?;
        let offset = from.offset - from.offset % u64::from(context.limits.offset_alignment);
        let base = Params { first: ((from.offset - offset) / dtype.size() as u64) as u32, ..tiled.params };
        let total = tiled.outer as u64 * u64::from(base.tiles_y) * u64::from(base.tiles_x);
        let key = format!("separable_tile {} {}", self.double, (base.taps_x + base.taps_y).ilog2());
        context.sliced(&key, total, 1, tiled.work / total, self.control, &mut |groups| {
            let params = Params { group_first: groups.start as u32, group_end: groups.end as u32, ..base };
            let image = Bind::Part(&from.block, offset..from.block.size());
            let binds = [image, Bind::Block(&weights), Bind::Block(to), Bind::Uniform(bytemuck::bytes_of(&params))];
            let grid = fold(groups.end - groups.start, &context.limits);
            context.submit(&[Dispatch { pipeline: &pipeline, binds: &binds, groups: grid }])
        })?;
        self.control.advance(tiled.work % total);
        Ok(())
    }
}

/// The text of the shader over elements of this dtype; into sums, or rounded to a dtype.
fn source(double: bool, image: Dtype, packed: Option<Dtype>) -> String {
    let mut header = format!("const IMAGE: u32 = {}u;\nconst INTEGER: bool = false;\n", image as u8);
    let singles = include_str!("../../../shaders/parts/convolve_f32.wgsl");
    let doubles = include_str!("../../../shaders/parts/convolve_f64.wgsl");
    let number: &[&str] = match (double, image) {
        (false, _) => &[WORDS, singles],
        (true, Dtype::F64) => &[doubles, include_str!("../../../shaders/parts/convolve_f64_doubles.wgsl")],
        (true, _) => &[WORDS, doubles, include_str!("../../../shaders/parts/convolve_f64_words.wgsl")],
    };
    let four = if image.size() < 4 { FOUR_PACKED } else { FOUR };
    let store = match packed.and_then(|out| out.integer_range().map(|range| (out, range))) {
        Some((out, (least, most))) => {
            header += &format!("const BITS: u32 = {}u;\n", 8 * out.size());
            header += &format!("const LEAST: f32 = {least}.0;\nconst MOST: f32 = {most}.0;\n");
            PACKED
        }
        None => SUMS,
    };
    let mut parts = vec![&header[..], BOUNDARY];
    parts.extend(number);
    parts.extend([four, store, TILE]);
    join(&parts)
}

/// Every shader of tiles.
pub(super) fn variants() -> Vec<Variant> {
    let layouts = || {
        vec![layout!(Params {
            length_y,
            outputs_y,
            start_y,
            boundary_y,
            taps_y,
            length_x,
            outputs_x,
            start_x,
            boundary_x,
            taps_x,
            inner,
            first,
            along_at,
            fill_at,
            width,
            height,
            pitch,
            tiles_y,
            tiles_x,
            group_first,
            group_end,
            unused_a,
            unused_b,
            unused_c
        })]
    };
    let mut variants = vec![];
    for double in [false, true] {
        for image in Dtype::ALL {
            if !double && (image.size() == 8 || matches!(image, Dtype::U32 | Dtype::I32)) {
                continue;
            }
            for packed in [None, Some(Dtype::U8), Some(Dtype::I16)].into_iter().filter(|packed| !double || packed.is_none()) {
                variants.push(Variant { label: "separable_tile", source: source(double, image, packed), layouts: layouts() });
            }
        }
    }
    variants
}
