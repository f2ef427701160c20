//! Arrays of random numbers on the GPU, in integers: the bits of the CPU's.

use std::sync::Arc;

use super::context::Context;
use super::dispatch::{Bind, Dispatch, fold};
use super::memory::{Block, GpuBuffer};
use super::pipeline::{Pipeline, Shader, Slot};
use super::shaders::{self, Variant, layout};
use crate::array::Storage;
use crate::engine::Target;
use crate::plan::{Draw, RandomPlan};
use crate::random::BitGenerator;
use crate::{Control, Dtype, Result};

/// Invocations per workgroup.
const GROUP: u64 = 64;
/// Elements per invocation: whole blocks of the stream and whole words of the result, whatever the dtype.
const UNIT: u64 = 4;
/// Units in one block of memory at most: indices stay below 2^32.
const MOST_UNITS: u64 = 1 << 28;

#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
pub(super) struct Params {
    key: [u32; 4],
    counter: [u32; 4],
    low: [u32; 2],
    scale: [u32; 2],
    exponent: i32,
    first: u32,
    end: u32,
    whole: u32,
}

/// What the shader's text depends on.
#[derive(Debug, Clone, Copy)]
struct Form {
    generator: BitGenerator,
    kind: u32,
    words: u64,
    dtype: Dtype,
    int64: bool,
}

impl Form {
    fn of(plan: &RandomPlan, int64: bool) -> Self {
        let kind = match plan.draw {
            Draw::Uniform { .. } => 0,
            Draw::Normal { .. } => 1,
            Draw::Exponential { .. } => 2,
            Draw::Integers { .. } => 3,
        };
        Self { generator: plan.stream.generator, kind, words: plan.words(), dtype: plan.dtype, int64 }
    }

    fn header(self) -> String {
        format!(
            "const KIND = {}u;\nconst WORDS = {}u;\nconst BYTES = {}u;\nconst BOOL = {};\n",
            self.kind,
            self.words,
            self.dtype.size(),
            self.dtype == Dtype::Bool,
        )
    }

    fn source(self) -> String {
        let main = include_str!("../../shaders/random.wgsl");
        let (wide, generate) = (shaders::mul_wide(self.int64), shaders::generate(self.generator));
        shaders::join(&[&self.header(), wide, &generate, shaders::WORDS64, include_str!("../../shaders/parts/scaled.wgsl"), main])
    }
}

/// The variants of this shader: every kind, size and generator once.
pub(super) fn variants() -> Vec<Variant> {
    let mut forms = vec![];
    for int64 in [false, true] {
        for generator in BitGenerator::ALL {
            for kind in 0..3 {
                for (dtype, words) in [(Dtype::F32, 1), (Dtype::F64, 2)] {
                    forms.push(Form { generator, kind, words, dtype, int64 });
                }
            }
            for dtype in [Dtype::Bool, Dtype::I8, Dtype::U16, Dtype::I32, Dtype::U64] {
                forms.extend([2, 4].map(|words| Form { generator, kind: 3, words, dtype, int64 }));
            }
        }
    }
    let variant = |form: Form| Variant {
        label: "random",
        source: form.source(),
        layouts: vec![layout!(Params { key, counter, low, scale, exponent, first, end, whole })],
    };
    forms.into_iter().map(variant).collect()
}

/// Draws the plan's elements.
pub(super) fn run(context: &Arc<Context>, plan: &RandomPlan, target: Target<'_>, control: &Control) -> Result<Option<Storage>> {
    control.check()?;
    let size = plan.dtype.size() as u64;
    let work = Work { context, plan, control, pipeline: pipeline(context, plan)?, table: table(context, plan, control)? };
    let most = (context.share(3) / (UNIT * size)).min(MOST_UNITS) * UNIT;
    let pieces = || {
        let starts = (plan.elements.start..plan.elements.end).step_by(most as usize);
        starts.map(|start| start..plan.elements.end.min(start + most))
    };
    match target {
        Target::Device(old) => {
            let mut reused = GpuBuffer::reuse(old, context);
            let mut segments = vec![];
            for piece in pieces() {
                let bytes = (piece.end - piece.start) * size;
                let needed = bytes.next_multiple_of(UNIT * size);
                let fitting = reused.iter().position(|block| block.size() >= needed && block.size() <= 2 * needed + 4096);
                let block = match fitting {
                    Some(at) => reused.swap_remove(at),
                    None => context.block(needed)?,
                };
                work.fill(&block, piece)?;
                segments.push((block, bytes));
            }
            Ok(Some(Storage::Gpu(GpuBuffer::new(context.clone(), segments))))
        }
        Target::Host(mut out) => {
            let whole = plan.len() == out.len() as u64;
            if let Some(bytes) = out.as_bytes() {
                for piece in pieces() {
                    let block = context.block((piece.end - piece.start).next_multiple_of(UNIT) * size)?;
                    work.fill(&block, piece.clone())?;
                    context.read_large(&block, &mut bytes[(piece.start * size) as usize..(piece.end * size) as usize])?;
                }
            } else if whole {
                // Strided memory gets a copy; a part of a plan is given contiguous memory.
                let mut bytes = vec![0; (plan.len() * size) as usize];
                for piece in pieces() {
                    let block = context.block((piece.end - piece.start).next_multiple_of(UNIT) * size)?;
                    work.fill(&block, piece.clone())?;
                    context.read_large(&block, &mut bytes[(piece.start * size) as usize..(piece.end * size) as usize])?;
                }
                out.copy_from_bytes(&bytes);
            }
            Ok(None)
        }
    }
}

struct Work<'a> {
    context: &'a Arc<Context>,
    plan: &'a RandomPlan,
    control: &'a Control,
    pipeline: Arc<Pipeline>,
    table: Block,
}

impl Work<'_> {
    /// Draws elements `piece`, which start with a whole block of the stream, into a block of memory.
    fn fill(&self, block: &Block, piece: std::ops::Range<u64>) -> Result<()> {
        let Self { context, plan, control, .. } = *self;
        let len = piece.end - piece.start;
        let stream = plan.stream;
        let index = plan.start + piece.start * plan.words() / 4;
        let halves = |x: u64| [x as u32, (x >> 32) as u32];
        let (low, scale, exponent, whole) = match plan.draw {
            Draw::Uniform { low, span, exponent } => (low as u64, span, exponent, false),
            Draw::Normal { mean, scale, exponent } => (mean as u64, scale, exponent, false),
            Draw::Exponential { scale, exponent } => (0, scale, exponent, false),
            Draw::Integers { low, range } => (low, range, 0, range == 0),
        };
        let (index, number) = (halves(index), halves(stream.stream));
        let params = Params {
            key: stream.key(),
            counter: [index[0], index[1], number[0], number[1]],
            low: halves(low),
            scale: halves(scale),
            exponent,
            first: 0,
            end: 0,
            whole: u32::from(whole),
        };
        let key = format!("random {:?} {}", std::mem::discriminant(&plan.draw), plan.words());
        context.sliced(&key, len.div_ceil(UNIT), GROUP, UNIT, control, &mut |units| {
            let params = Params { first: units.start as u32, end: units.end as u32, ..params };
            let binds = [Bind::Block(&self.table), Bind::Block(block), Bind::Uniform(bytemuck::bytes_of(&params))];
            let groups = fold((units.end - units.start).div_ceil(GROUP), &context.limits);
            context.submit(&[Dispatch { pipeline: &self.pipeline, binds: &binds, groups }])
        })
    }
}

fn pipeline(context: &Context, plan: &RandomPlan) -> Result<Arc<Pipeline>> {
    let form = Form::of(plan, context.caps.int64);
    context.pipeline(&Shader {
        label: "random",
        source: &|| form.source(),
        variant: &format!("{form:?}"),
        constants: &[("SIZE", GROUP as f64)],
        workgroup: [GROUP as u32, 1, 1],
        workgroup_bytes: 0,
        slots: &[Slot::Read, Slot::ReadWrite, Slot::Uniform],
    })
}

/// The quantiles that the plan looks up, on the device.
fn table(context: &Arc<Context>, plan: &RandomPlan, control: &Control) -> Result<Block> {
    let Some(quantile) = plan.draw.quantile() else { return context.block(4) };
    let table = quantile.table();
    let bytes: &[u8] = match plan.words() {
        1 => bytemuck::cast_slice(&table.narrow),
        _ => bytemuck::cast_slice(&table.wide),
    };
    context.check_fixed(bytes.len() as u64, "the table of this distribution")?;
    let block = context.block(bytes.len() as u64)?;
    context.upload(&block, bytes.len() as u64, control, &mut |range, out| {
        out.copy_from_slice(&bytes[range.start as usize..range.end as usize]);
    })?;
    Ok(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every known answer of Random123, and counters and keys that differ in one bit, against the CPU's.
    #[test]
    fn blocks_are_the_generators_known_answers() {
        for engine in crate::gpu::tests::engines() {
            let context = engine.context().unwrap();
            for generator in BitGenerator::ALL {
                let [name, rounds] = [0, 1].map(|part| generator.name().split('-').nth(part).unwrap());
                let mut cases: Vec<[u32; 8]> = vec![];
                let mut known = vec![];
                for line in include_str!("../../tests/data/philox_kat.txt").lines() {
                    let mut fields = line.split_whitespace();
                    if fields.next() != Some(name) || fields.next() != Some(rounds) {
                        continue;
                    }
                    let words: Vec<u32> = fields.map(|word| u32::from_str_radix(word, 16).unwrap()).collect();
                    let (given, answer) = words.split_at(words.len() - 4);
                    cases.push(std::array::from_fn(|i| given.get(i).copied().unwrap_or(0)));
                    known.push(answer.to_vec());
                }
                assert_eq!(known.len(), 3);
                cases.extend((0..256).map(|bit| std::array::from_fn(|word| u32::from(bit / 32 == word) << (bit % 32))));
                for int64 in [false, true].into_iter().filter(|&int64| context.caps.int64 || !int64) {
                    let got = blocks(&context, generator, int64, &cases);
                    for (i, (case, block)) in std::iter::zip(&cases, got.chunks(4)).enumerate() {
                        let [a, b, c, d, key @ ..] = *case;
                        assert_eq!(block, generator.block([a, b, c, d], key), "{} {generator} {case:x?}", context.id);
                        assert!(known.get(i).is_none_or(|answer| answer == block));
                    }
                }
            }
        }
    }

    fn blocks(context: &Arc<Context>, generator: BitGenerator, int64: bool, cases: &[[u32; 8]]) -> Vec<u32> {
        const MAIN: &str = "
            @group(0) @binding(0) var<storage, read> cases: array<array<vec4<u32>, 2>>;
            @group(0) @binding(1) var<storage, read_write> blocks: array<vec4<u32>>;
            @compute @workgroup_size(1)
            fn main(@builtin(workgroup_id) group: vec3<u32>) {
                blocks[group.x] = generate(cases[group.x][0], cases[group.x][1]);
            }";
        let pipeline = context.pipeline(&Shader {
            label: "generate_test",
            source: &|| shaders::join(&[shaders::mul_wide(int64), &shaders::generate(generator), MAIN]),
            variant: &format!("{generator} {int64}"),
            constants: &[],
            workgroup: [1, 1, 1],
            workgroup_bytes: 0,
            slots: &[Slot::Read, Slot::ReadWrite],
        });
        let given: &[u8] = bytemuck::cast_slice(cases);
        let (input, output) = (context.block(given.len() as u64).unwrap(), context.block(16 * cases.len() as u64).unwrap());
        let fill = &mut |range: std::ops::Range<u64>, out: &mut [u8]| {
            out.copy_from_slice(&given[range.start as usize..range.end as usize])
        };
        context.upload(&input, given.len() as u64, &Control::new(), fill).unwrap();
        let binds = [Bind::Block(&input), Bind::Block(&output)];
        context.submit(&[Dispatch { pipeline: &pipeline.unwrap(), binds: &binds, groups: [cases.len() as u32, 1, 1] }]).unwrap();
        bytemuck::pod_collect_to_vec(&context.read_small(&output, 16 * cases.len() as u64).unwrap())
    }
}
