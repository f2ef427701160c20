//! Monte Carlo π on the GPU: whole blocks of four samples on the device, the ends of the range on the host.

use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::memory::Block;
use super::pipeline::{Shader, Slot};
use super::shaders::{self, Variant};
use crate::plan::MonteCarloPlan;
use crate::{Control, Philox4x32, Result};

/// Blocks that one dispatch counts at most: the shader's indices stay below 2^32.
const MOST_BLOCKS: u64 = 1 << 31;
/// Blocks per invocation at least, where there are so many: they pay for starting it.
const FEW_STEPS: u64 = 32;
/// Blocks per invocation at most, unless the device's limit on workgroups asks for more.
const MANY_STEPS: u64 = 1024;
/// Invocations that keep any device busy.
const BUSY: u64 = 1 << 20;
/// Slices are multiples of so many blocks.
const GRAIN: u64 = 1 << 14;

#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Params {
    keys: [[u32; 4]; 5],
    start: [u32; 2],
    blocks: u32,
    steps: u32,
}

fn source(int64: bool) -> String {
    shaders::join(&[shaders::mul_wide(int64), shaders::PHILOX, include_str!("../../shaders/monte_carlo.wgsl")])
}

/// The variants of this shader.
pub(super) fn variants() -> Vec<Variant> {
    let variant = |int64| Variant {
        label: "monte_carlo",
        source: source(int64),
        layouts: vec![shaders::layout!(Params { keys, start, blocks, steps })],
    };
    vec![variant(false), variant(true)]
}

/// Counts the hits of the plan's samples.
pub(super) fn count_hits(context: &Arc<Context>, plan: &MonteCarloPlan, control: &Control) -> Result<u64> {
    control.check()?;
    let philox = Philox4x32::new(plan.seed);
    let samples = &plan.samples;
    let on_host = |range: std::ops::Range<u64>| range.filter(|&sample| philox.sample_is_hit(sample)).count() as u64;
    let (first, last) = (samples.start.div_ceil(4), samples.end / 4);
    if first >= last {
        let hits = on_host(samples.clone());
        control.advance(plan.len());
        return Ok(hits);
    }
    let head = samples.start..first * 4;
    let tail = last * 4..samples.end;
    let ends = (head.end - head.start) + (tail.end - tail.start);
    let on_device = count_blocks(context, &philox, first, last - first, control)?;
    let hits = on_host(head) + on_device + on_host(tail);
    control.advance(ends);
    Ok(hits)
}

fn count_blocks(context: &Arc<Context>, philox: &Philox4x32, first: u64, blocks: u64, control: &Control) -> Result<u64> {
    let hits = context.block(8)?;
    context.clear(&hits, 8)?;
    count_into(context, philox, first, blocks, &hits, control)?;
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&context.read_small(&hits, 8)?);
    Ok(u64::from(words[0]) | u64::from(words[1]) << 32)
}

/// Adds the hits of a range of blocks to the count in `hits`.
fn count_into(
    context: &Arc<Context>,
    philox: &Philox4x32,
    first: u64,
    blocks: u64,
    hits: &Block,
    control: &Control,
) -> Result<()> {
    let (int64, size) = (context.caps.int64, context.limits.invocations.min(256));
    let pipeline = context.pipeline(&Shader {
        label: "monte_carlo",
        source: &|| source(int64),
        variant: if int64 { "u64" } else { "u32" },
        constants: &[("SIZE", f64::from(size))],
        workgroup: [size, 1, 1],
        workgroup_bytes: 4,
        slots: &[Slot::ReadWrite, Slot::Uniform],
    })?;
    let keys = philox.round_keys();
    let keys = std::array::from_fn(|i| [keys[2 * i][0], keys[2 * i][1], keys[2 * i + 1][0], keys[2 * i + 1][1]]);
    context.sliced("monte_carlo", blocks, GRAIN, 4, control, &mut |range| {
        let mut plans = vec![];
        let mut at = range.start;
        while at < range.end {
            let blocks = (range.end - at).min(MOST_BLOCKS);
            let steps = blocks.div_ceil(BUSY).clamp(FEW_STEPS, MANY_STEPS);
            let groups = fold(blocks.div_ceil(steps * u64::from(size)), &context.limits);
            // Folding may add workgroups, never take any away.
            let start = first + at;
            let params = Params { keys, start: [start as u32, (start >> 32) as u32], blocks: blocks as u32, steps: steps as u32 };
            plans.push((params, groups));
            at += blocks;
        }
        let binds: Vec<_> =
            plans.iter().map(|(params, _)| [Bind::Block(hits), Bind::Uniform(bytemuck::bytes_of(params))]).collect();
        let dispatches: Vec<_> =
            std::iter::zip(&plans, &binds).map(|(&(_, groups), binds)| Dispatch { pipeline: &pipeline, binds, groups }).collect();
        context.submit(&dispatches)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every known answer of Random123 for this generator, and counters that differ in one bit, against the CPU's.
    #[test]
    fn blocks_are_the_generators_known_answers() {
        let mut cases: Vec<([u32; 4], [u32; 2])> = vec![];
        let mut known = vec![];
        for line in include_str!("../../tests/data/philox_kat.txt").lines().filter(|line| line.starts_with("philox4x32 10 ")) {
            let words: Vec<u32> = line.split_whitespace().skip(2).map(|word| u32::from_str_radix(word, 16).unwrap()).collect();
            let [a, b, c, d, k0, k1, answer @ ..] = &words[..] else { panic!("{line}") };
            cases.push(([*a, *b, *c, *d], [*k0, *k1]));
            known.push(answer.to_vec());
        }
        assert_eq!(known.len(), 3);
        cases.extend(
            (0..128)
                .map(|bit| (std::array::from_fn(|word| if bit / 32 == word { 1 << (bit % 32) } else { 0 }), [bit as u32, !0])),
        );
        for engine in crate::gpu::tests::engines() {
            let context = engine.context().unwrap();
            for int64 in [false, true] {
                if int64 && !context.caps.int64 {
                    continue;
                }
                let got = blocks(&context, int64, &cases);
                for (i, (&(counter, key), block)) in std::iter::zip(&cases, got.chunks(4)).enumerate() {
                    assert_eq!(block, Philox4x32::philox4x32_10(counter, key), "{} {counter:x?} {key:x?}", context.id);
                    assert!(known.get(i).is_none_or(|answer| answer == block));
                }
            }
        }
    }

    fn blocks(context: &Arc<Context>, int64: bool, cases: &[([u32; 4], [u32; 2])]) -> Vec<u32> {
        const MAIN: &str = "
            struct Case { counter: vec4<u32>, key: vec2<u32> }
            @group(0) @binding(0) var<storage, read> cases: array<Case>;
            @group(0) @binding(1) var<storage, read_write> blocks: array<vec4<u32>>;
            @compute @workgroup_size(1)
            fn main(@builtin(workgroup_id) group: vec3<u32>) {
                var block = cases[group.x].counter;
                for (var round = 0u; round < 10u; round += 1u) {
                    block = philox_round(block, cases[group.x].key + round * vec2<u32>(0x9E3779B9u, 0xBB67AE85u));
                }
                blocks[group.x] = block;
            }";
        let pipeline = context.pipeline(&Shader {
            label: "philox_test",
            source: &|| shaders::join(&[shaders::mul_wide(int64), shaders::PHILOX, MAIN]),
            variant: if int64 { "u64" } else { "u32" },
            constants: &[],
            workgroup: [1, 1, 1],
            workgroup_bytes: 0,
            slots: &[Slot::Read, Slot::ReadWrite],
        });
        let given: Vec<u32> = cases.iter().flat_map(|(c, k)| [c[0], c[1], c[2], c[3], k[0], k[1], 0, 0]).collect();
        let given: &[u8] = bytemuck::cast_slice(&given);
        let (input, output) = (context.block(given.len() as u64).unwrap(), context.block(16 * cases.len() as u64).unwrap());
        let fill = &mut |range: std::ops::Range<u64>, out: &mut [u8]| {
            out.copy_from_slice(&given[range.start as usize..range.end as usize])
        };
        context.upload(&input, given.len() as u64, &Control::new(), fill).unwrap();
        let binds = [Bind::Block(&input), Bind::Block(&output)];
        context.submit(&[Dispatch { pipeline: &pipeline.unwrap(), binds: &binds, groups: [cases.len() as u32, 1, 1] }]).unwrap();
        bytemuck::pod_collect_to_vec(&context.read_small(&output, 16 * cases.len() as u64).unwrap())
    }

    /// More hits than 32 bits hold: the carry into the high word.
    #[test]
    fn the_count_carries_into_its_high_word() {
        for engine in crate::gpu::tests::engines() {
            let context = engine.context().unwrap();
            let philox = Philox4x32::new(5);
            let hits = context.block(8).unwrap();
            let before = u64::from(u32::MAX) - 10;
            let bytes = before.to_le_bytes();
            context.upload(&hits, 8, &Control::new(), &mut |_, out| out.copy_from_slice(&bytes)).unwrap();
            count_into(&context, &philox, 3, 1000, &hits, &Control::new()).unwrap();
            let expected = (12..4012).filter(|&sample| philox.sample_is_hit(sample)).count() as u64;
            let after: [u8; 8] = context.read_small(&hits, 8).unwrap().try_into().unwrap();
            assert_eq!(u64::from_le_bytes(after), before + expected);
        }
    }
}
