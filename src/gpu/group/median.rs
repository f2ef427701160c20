//! Medians by group on the GPU: the keys of the middle two values of every group at once, digit by digit.
//!
//! A pass over the elements counts, for each group, how many values have each next digit among those that begin as a middle
//! key does so far; the digit that holds its rank is chosen. As long as the two keys begin alike they are counted once. No
//! value moves, and no order of the elements counts.

use super::{Finder, Params, Pass, Search};
use crate::array::{collect, filled};
use crate::engine::Input;
use crate::gpu::dispatch::{Bind, Dispatch, fold};
use crate::gpu::memory::GpuBuffer;
use crate::gpu::pipeline::{Shader, Slot};
use crate::gpu::{lanes, shaders};
use crate::plan::{Grouped, Partials};
use crate::{Dtype, Error, Result};

/// Words of workgroup memory that hold the counts of all groups, where those fit.
const LOCAL: u32 = 4096;
/// Groups whose counts of 8 bits are kept at once; of more, digits have 4 bits.
const BROAD: usize = 1 << 14;
/// Groups that are looked at together.
const TOGETHER: usize = 1 << 20;

/// Elements of so many bytes are uploaded once for all passes; more are uploaded for each.
const ONCE: usize = 256 << 20;

/// What the text depends on.
#[derive(Debug, Clone, Copy)]
struct Variant {
    finder: Finder,
    dtype: Dtype,
    private: bool,
    /// Bits of a digit.
    digit: u32,
}

impl Variant {
    fn bits(self) -> u32 {
        8 * self.dtype.size() as u32
    }

    /// Counts of a group.
    fn counts(self) -> usize {
        2 << self.digit
    }

    fn constants(self) -> String {
        lanes::constants(self.dtype)
            + &format!(
                "const BITS: u32 = {}u;\nconst TOP: bool = false;\nconst DOWN: bool = false;\nconst KEY_MASK: u32 = {}u;\n\
                 const SIGN_BIT: u32 = {}u;\nconst DIGIT: u32 = {}u;\nconst DIGITS: u32 = {}u;\nconst PRIVATE: bool = {};\n\
                 const LOCAL: u32 = {}u;\n",
                self.bits(),
                u32::MAX >> (32 - self.bits().min(32)),
                1u32 << (self.bits().min(32) - 1),
                self.digit,
                1 << self.digit,
                self.private,
                if self.private { LOCAL } else { 1 },
            )
    }

    fn count_source(self) -> String {
        let parts = [
            include_str!("../../../shaders/parts/select_key.wgsl"),
            lanes::ELEMENT,
            include_str!("../../../shaders/group_median.wgsl"),
        ];
        self.finder.source(&self.constants(), &parts)
    }

    fn choose_source(self) -> String {
        let header = format!("{}const WG: u32 = {}u;\n", self.constants(), self.finder.workgroup);
        let params = include_str!("../../../shaders/parts/group_params.wgsl");
        shaders::join(&[&header, params, include_str!("../../../shaders/group_median_choose.wgsl")])
    }
}

/// Every shader variant of medians.
pub(super) fn variants() -> Vec<shaders::Variant> {
    let mut list = vec![];
    for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_complex()) {
        for (private, digit) in [(true, 8), (false, 4)] {
            let finder = Finder { dtype: Dtype::I16, mode: u32::from(private), workgroup: 64 };
            let variant = Variant { finder, dtype, private, digit };
            for (label, source) in [("group_median", variant.count_source()), ("group_median_choose", variant.choose_source())] {
                list.push(shaders::Variant { label, source, layouts: vec![Params::layout()] });
            }
        }
    }
    list
}

/// Finds the order keys of the two middle values of every group.
pub(super) fn run(search: &Search<'_>, keys: &Input<'_>, values: &Input<'_>, grouped: Grouped) -> Result<Grouped> {
    let quiet = search.control.quiet();
    let (mut held, shape) = ([None, None], &search.plan.shape);
    for (held, input) in held.iter_mut().zip([keys, values]) {
        if let Input::Host(view) = input
            && view.len() * view.dtype().size() <= ONCE.min(search.context.share(6) as usize)
        {
            *held = Some(search.context.upload_view(view, &quiet)?);
        }
    }
    let here = |i: usize, input: &Input<'_>| {
        held[i].as_ref().map(|buffer: &GpuBuffer| Input::Gpu { buffer, dtype: input.dtype(), shape })
    };
    let (held_keys, held_values) = (here(0, keys), here(1, values));
    let (keys, values) = (held_keys.as_ref().unwrap_or(keys), held_values.as_ref().unwrap_or(values));
    let mut grouped = search.count(&[keys], None, &quiet, grouped)?;
    if grouped.counts.iter().any(|&count| count > u64::from(u32::MAX)) {
        let (device, operation) = (search.context.id.clone(), "median by label".to_string());
        return Err(Error::Unsupported { device, operation, feature: "groups of 2^32 elements and more".into() });
    }
    let groups = grouped.counts.len();
    let digit = if groups <= BROAD { 8 } else { 4 };
    let mut variant = Variant { finder: search.finder, dtype: values.dtype(), private: false, digit };
    let together = groups.min(TOGETHER).min(search.context.share(4) as usize / (4 * variant.counts() + 32));
    let together = together.max(1);
    variant.private = together * variant.counts() <= LOCAL as usize && 4 * LOCAL <= search.context.limits.workgroup_memory;
    let mut middles = filled(None, groups)?;
    for first in (0..groups).step_by(together) {
        let end = groups.min(first + together);
        let found = some(search, variant, (keys, values), first, &grouped.counts[first..end])?;
        middles[first..end].copy_from_slice(&found);
    }
    search.control.advance(search.plan.work());
    grouped.partials = Some(Partials::Range(middles));
    Ok(grouped)
}

/// The middle keys of groups from `first` on, of so many values each.
fn some(
    search: &Search<'_>,
    variant: Variant,
    inputs: (&Input<'_>, &Input<'_>),
    first: usize,
    counts_of: &[u64],
) -> Result<Vec<Option<(u64, u64)>>> {
    let (context, n) = (search.context, counts_of.len());
    let states: Vec<[u32; 8]> =
        collect(counts_of.iter().map(|&n| [0, 0, (n.max(1) - 1) as u32 / 2, 1, 0, 0, (n / 2) as u32, 0]))?;
    let bytes: &[u8] = bytemuck::cast_slice(&states);
    let states = context.block(bytes.len() as u64)?;
    context.upload(&states, bytes.len() as u64, search.control, &mut |range, out| {
        out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
    })?;
    let counts = context.block((4 * n * variant.counts()) as u64)?;
    context.clear(&counts, (4 * n * variant.counts()) as u64)?;
    let shader = |label, source: &dyn Fn() -> String, bytes, slots: &[Slot]| {
        let (workgroup, variant) = ([search.finder.workgroup, 1, 1], &format!("{variant:?}"));
        context.pipeline(&Shader { label, source, variant, constants: &[], workgroup, workgroup_bytes: bytes, slots })
    };
    let all = [Slot::Read, Slot::Read, Slot::Read, Slot::ReadWrite, Slot::ReadWrite, Slot::Uniform];
    let local = if variant.private { 4 * LOCAL } else { 4 };
    let count = shader("group_median", &|| variant.count_source(), local, &all)?;
    let choose = shader("group_median_choose", &|| variant.choose_source(), 0, &all[3..])?;
    let key = &format!("group_median {}", variant.dtype);
    for shift in (0..variant.bits()).step_by(variant.digit as usize).rev() {
        let params = Params { group_first: first as u32, group_count: n as u32, shift, ..search.params };
        search.chunks(&[inputs.0, inputs.1], &mut |range, parts| {
            let blocks = [&parts[0].0, &search.table, &parts[1].0, &states, &counts].map(Bind::Block);
            let pass = Pass { pipeline: &count, key, params, binds: &blocks };
            search.dispatch(&pass, range.len(), parts)
        })?;
        let params = Params { start: 0, end: n as u32, ..params };
        let binds = [Bind::Block(&states), Bind::Block(&counts), Bind::Uniform(bytemuck::bytes_of(&params))];
        let groups = fold((n as u64).div_ceil(u64::from(search.finder.workgroup)), &context.limits);
        context.submit(&[Dispatch { pipeline: &choose, binds: &binds, groups }])?;
    }
    let found = context.read_small(&states, bytes.len() as u64)?;
    let states = found.as_chunks::<32>().0.iter().map(|state| state.as_chunks::<4>().0);
    // Keys of narrow signed integers begin far above 0.
    let offset = match variant.dtype.is_signed_integer() {
        true => (1u64 << 63) - (1 << (variant.bits() - 1)),
        false => 0,
    };
    Ok(states
        .zip(counts_of)
        .map(|(words, &n)| {
            let word = |i: usize| u64::from(u32::from_le_bytes(words[i]));
            let key = |i: usize| (word(i) | word(i + 1) << 32).wrapping_add(offset);
            match n {
                0 => None,
                _ if word(7) != 0 => Some((u64::MAX, u64::MAX)),
                _ => Some((key(0), key(4))),
            }
        })
        .collect())
}
