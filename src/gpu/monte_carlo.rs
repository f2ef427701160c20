//! Monte Carlo π on the GPU: whole blocks of samples, or whole turns of Sobol's replicates, on the device, the ends of the range
//! on the host.

use std::ops::Range;
use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::memory::Block;
use super::pipeline::{Shader, Slot};
use super::shaders::{self, Variant};
use crate::plan::{MonteCarlo, MonteCarloPlan, PiMethod, REPLICATES, Tally};
use crate::{Control, Philox4x32, Result};

/// Blocks or points that one dispatch counts at most: the shader's indices stay below 2^32.
const MOST_BLOCKS: u64 = 1 << 31;
/// Blocks per invocation at least, where there are so many: they pay for starting it.
const FEW_STEPS: u64 = 32;
/// Blocks per invocation at most, unless the device's limit on workgroups asks for more.
const MANY_STEPS: u64 = 1024;
/// Invocations that keep any device busy.
const BUSY: u64 = 1 << 20;
/// Slices are multiples of so many blocks.
const GRAIN: u64 = 1 << 14;
/// The points of a Sobol sequence: then it begins anew.
const TURN: u64 = 1 << 32;

#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Params {
    keys: [[u32; 4]; 5],
    start: [u32; 2],
    blocks: u32,
    steps: u32,
}

mod sobol {
    /// The uniform of `monte_carlo_sobol.wgsl`.
    #[repr(C)]
    #[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
    pub(super) struct Params {
        pub(super) shifts: [[u32; 4]; 16],
        pub(super) start: u32,
        pub(super) points: u32,
        pub(super) steps: u32,
        pub(super) pad: u32,
    }
}

fn source(how: &MonteCarlo, int64: bool) -> String {
    let mul_wide = shaders::mul_wide(int64);
    let constants = format!("const METHOD = {}u;\nconst BITS = {}u;", how.method as u32, how.coordinate_bits());
    let inside = include_str!("../../shaders/parts/pi_inside.wgsl");
    let main = include_str!("../../shaders/monte_carlo.wgsl");
    match how.method {
        PiMethod::Sobol => shaders::join(&[mul_wide, &constants, inside, include_str!("../../shaders/monte_carlo_sobol.wgsl")]),
        _ if how.is_square() => {
            shaders::join(&[mul_wide, shaders::PHILOX_ROUNDS, include_str!("../../shaders/parts/pi_square.wgsl"), main])
        }
        _ => {
            let quadrant = include_str!("../../shaders/parts/pi_quadrant.wgsl");
            shaders::join(&[mul_wide, shaders::PHILOX_ROUNDS, &constants, inside, quadrant, main])
        }
    }
}

/// The variants of these shaders.
pub(super) fn variants() -> Vec<Variant> {
    let mut variants = vec![];
    for method in PiMethod::ALL {
        for (bits, int64) in [(16, false), (16, true), (32, false), (32, true)] {
            let how = MonteCarlo::pi().method(method).bits(bits);
            let layout = match method {
                PiMethod::Sobol => {
                    use sobol::Params;
                    shaders::layout!(Params { shifts, start, points, steps, pad })
                }
                _ => shaders::layout!(Params { keys, start, blocks, steps }),
            };
            variants.push(Variant { label: label(&how), source: source(&how, int64), layouts: vec![layout] });
        }
    }
    variants
}

const fn label(how: &MonteCarlo) -> &'static str {
    match how.method {
        PiMethod::Sobol => "monte_carlo_sobol",
        _ => "monte_carlo",
    }
}

/// Counts the plan's samples.
pub(super) fn count_hits(context: &Arc<Context>, plan: &MonteCarloPlan, control: &Control) -> Result<Tally> {
    control.check()?;
    let samples = &plan.samples;
    let per_unit = samples_per_unit(&plan.how);
    let (first, last) = (samples.start.div_ceil(per_unit), samples.end / per_unit);
    if first >= last {
        let tally = plan.by_definition(samples.clone());
        control.advance(plan.len());
        return Ok(tally);
    }
    let head = samples.start..first * per_unit;
    let tail = last * per_unit..samples.end;
    let ends = (head.end - head.start) + (tail.end - tail.start);
    let mut tally = on_device(context, &plan.how, first..last, control)?;
    tally.merge(&plan.by_definition(head));
    tally.merge(&plan.by_definition(tail));
    control.advance(ends);
    Ok(tally)
}

/// The samples of a block, or one of every replicate: what the device counts at a time.
fn samples_per_unit(how: &MonteCarlo) -> u64 {
    match (how.method, how.coordinate_bits()) {
        (PiMethod::Sobol, _) => REPLICATES,
        (_, 16) => 4,
        (PiMethod::Stratified, _) => 1,
        _ => 2,
    }
}

fn on_device(context: &Arc<Context>, how: &MonteCarlo, units: Range<u64>, control: &Control) -> Result<Tally> {
    let numbers = if how.method == PiMethod::Sobol { REPLICATES } else { 2 };
    let counts = context.block(8 * numbers)?;
    context.clear(&counts, 8 * numbers)?;
    count_into(context, how, units.clone(), &counts, control)?;
    let bytes = context.read_small(&counts, 8 * numbers)?;
    let counts: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|&word| u64::from_le_bytes(word)).collect();
    let samples = (units.end - units.start) * samples_per_unit(how);
    Ok(match (how.method, &counts[..]) {
        (PiMethod::Sobol, _) => {
            let mut tally = Tally { samples, ..Tally::default() };
            tally.counts.copy_from_slice(&counts);
            tally
        }
        (method, &[inside, all]) => {
            // No sample misses more than twice: what is left once each is counted is the second.
            let once = samples - all;
            Tally::of_misses(samples, [once, method.points() * samples - inside - once])
        }
        _ => Tally::default(),
    })
}

/// Adds what a range of blocks, or of points of every replicate, holds to the numbers in `counts`.
fn count_into(context: &Arc<Context>, how: &MonteCarlo, units: Range<u64>, counts: &Block, control: &Control) -> Result<()> {
    let sobol = how.method == PiMethod::Sobol;
    let (int64, size) = (context.caps.int64, context.limits.invocations.min(256) / 32 * 32);
    let width = if int64 { "u64" } else { "u32" };
    let variant = format!("{} {} {width}", how.method, how.coordinate_bits());
    let pipeline = context.pipeline(&Shader {
        label: label(how),
        source: &|| source(how, int64),
        variant: &variant,
        constants: &[("SIZE", f64::from(size))],
        workgroup: [size, 1, 1],
        workgroup_bytes: if sobol { 4 * REPLICATES as u32 } else { 8 },
        slots: &[Slot::ReadWrite, Slot::Uniform],
    })?;
    let keys = Philox4x32::new(how.seed).round_keys();
    let keys = std::array::from_fn(|i| [keys[2 * i][0], keys[2 * i][1], keys[2 * i + 1][0], keys[2 * i + 1][1]]);
    let key = format!("monte_carlo {variant}");
    context.sliced(&key, units.end - units.start, GRAIN, samples_per_unit(how), control, &mut |range| {
        let mut plans: Vec<(Vec<u8>, [u32; 3])> = vec![];
        let (mut start, end) = (units.start + range.start, units.start + range.end);
        while start < end {
            let (mut many, lanes) = ((end - start).min(MOST_BLOCKS), if sobol { size / 32 } else { size });
            if sobol {
                many = many.min(TURN - start % TURN);
            }
            let steps = (many * u64::from(size / lanes)).div_ceil(BUSY).clamp(FEW_STEPS, MANY_STEPS);
            // Folding may add workgroups, never take any away.
            let groups = fold(many.div_ceil(steps * u64::from(lanes)), &context.limits);
            let (low, high, many, steps) = (start as u32, (start >> 32) as u32, many as u32, steps as u32);
            let params = if sobol {
                let key = |replicate| how.sobol_keys(replicate, u64::from(high));
                let shifts = std::array::from_fn(|i| {
                    let ([a, b], [c, d]) = (key(2 * i as u64), key(2 * i as u64 + 1));
                    [a, b, c, d]
                });
                bytemuck::bytes_of(&sobol::Params { shifts, start: low, points: many, steps, pad: 0 }).to_vec()
            } else {
                bytemuck::bytes_of(&Params { keys, start: [low, high], blocks: many, steps }).to_vec()
            };
            plans.push((params, groups));
            start += u64::from(many);
        }
        let binds: Vec<_> = plans.iter().map(|(params, _)| [Bind::Block(counts), Bind::Uniform(params)]).collect();
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
        let fill = &mut |range: Range<u64>, out: &mut [u8]| out.copy_from_slice(&given[range.start as usize..range.end as usize]);
        context.upload(&input, given.len() as u64, &Control::new(), fill).unwrap();
        let binds = [Bind::Block(&input), Bind::Block(&output)];
        context.submit(&[Dispatch { pipeline: &pipeline.unwrap(), binds: &binds, groups: [cases.len() as u32, 1, 1] }]).unwrap();
        bytemuck::pod_collect_to_vec(&context.read_small(&output, 16 * cases.len() as u64).unwrap())
    }

    /// The part that other shaders draw Sobol's points with, against the CPU's.
    #[test]
    fn sobols_points_and_scrambling_are_the_cpus() {
        const MAIN: &str = "
            struct Case { index: u32, dimension: u32, key: u32 }
            @group(0) @binding(0) var<storage, read> cases: array<Case>;
            @group(0) @binding(1) var<storage, read> directions: array<vec4<u32>>;
            @group(0) @binding(2) var<storage, read_write> points: array<u32>;
            @compute @workgroup_size(1)
            fn main(@builtin(workgroup_id) group: vec3<u32>) {
                let given = cases[group.x];
                points[group.x] = sobol_scramble(sobol_point(given.index, given.dimension), given.key);
            }";
        let sobol = crate::random::Sobol::new(5).unwrap();
        let bits = (0..32).flat_map(|bit| [1u32 << bit, u32::MAX >> bit]);
        let cases: Vec<[u32; 3]> = bits.flat_map(|index| (0..5).map(move |d| [index, d, index ^ 0x9e37_79b9 << d])).collect();
        let directions: Vec<u32> = (0..5).flat_map(|dimension| sobol.directions(dimension)).copied().collect();
        for engine in crate::gpu::tests::engines() {
            let context = engine.context().unwrap();
            let pipeline = context.pipeline(&Shader {
                label: "sobol_test",
                source: &|| shaders::join(&[include_str!("../../shaders/parts/sobol.wgsl"), MAIN]),
                variant: "",
                constants: &[],
                workgroup: [1, 1, 1],
                workgroup_bytes: 0,
                slots: &[Slot::Read, Slot::Read, Slot::ReadWrite],
            });
            let upload = |words: &[u32]| {
                let bytes: &[u8] = bytemuck::cast_slice(words);
                let block = context.block(bytes.len() as u64).unwrap();
                let fill = &mut |range: Range<u64>, out: &mut [u8]| {
                    out.copy_from_slice(&bytes[range.start as usize..range.end as usize])
                };
                context.upload(&block, bytes.len() as u64, &Control::new(), fill).unwrap();
                block
            };
            let (given, table) = (upload(cases.as_flattened()), upload(&directions));
            let output = context.block(4 * cases.len() as u64).unwrap();
            let binds = [Bind::Block(&given), Bind::Block(&table), Bind::Block(&output)];
            context
                .submit(&[Dispatch { pipeline: &pipeline.unwrap(), binds: &binds, groups: [cases.len() as u32, 1, 1] }])
                .unwrap();
            let got: Vec<u32> = bytemuck::pod_collect_to_vec(&context.read_small(&output, 4 * cases.len() as u64).unwrap());
            for (&[index, dimension, key], got) in cases.iter().zip(got) {
                let expected = crate::random::Sobol::scramble(sobol.point(index, dimension as usize), key);
                assert_eq!(got, expected, "{} {index} {dimension}", context.id);
            }
        }
    }

    /// More hits than 32 bits hold: the carry into the high word.
    #[test]
    fn the_count_carries_into_its_high_word() {
        for engine in crate::gpu::tests::engines() {
            let context = engine.context().unwrap();
            for method in [PiMethod::Plain, PiMethod::Sobol] {
                let how = MonteCarlo::pi().method(method).seed(5);
                let counts = context.block(256).unwrap();
                let before = u64::from(u32::MAX) - 10;
                let bytes = [before; 32].map(u64::to_le_bytes);
                let fill = &mut |range: Range<u64>, out: &mut [u8]| {
                    out.copy_from_slice(&bytes.as_flattened()[range.start as usize..range.end as usize])
                };
                context.upload(&counts, 256, &Control::new(), fill).unwrap();
                count_into(&context, &how, 3..1003, &counts, &Control::new()).unwrap();
                let per_unit = samples_per_unit(&how);
                let expected = MonteCarloPlan { how, samples: 0..0 }.by_definition(3 * per_unit..1003 * per_unit).counts[0];
                let after = context.read_small(&counts, 8).unwrap().try_into().unwrap();
                assert_eq!(u64::from_le_bytes(after), before + expected, "{method}");
            }
        }
    }

    /// Every method and both widths, with and without 64-bit integers, over the places where indices wrap.
    #[test]
    fn every_method_counts_what_the_definition_says() {
        for engine in crate::gpu::tests::engines() {
            let context = engine.context().unwrap();
            for method in PiMethod::ALL {
                for bits in [16, 32] {
                    let how = MonteCarlo::pi().method(method).bits(bits).seed(0xdead_beef_0123_4567);
                    for samples in [3..5, 1..40_003, (1 << 33) - 401..(1 << 33) + 702, (3 << 37) - 5_001..(3 << 37) + 5_000] {
                        let plan = MonteCarloPlan { how, samples };
                        let expected = plan.by_definition(plan.samples.clone());
                        let control = Control::new();
                        assert_eq!(
                            count_hits(&context, &plan, &control),
                            Ok(expected),
                            "{} {how} {:?}",
                            context.id,
                            plan.samples
                        );
                        assert_eq!(control.progress().done, plan.len());
                    }
                }
            }
        }
    }
}
