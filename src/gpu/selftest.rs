//! What a device really does, found by running a shader when an adapter is first opened.

use std::sync::Arc;

use super::adapters::Adapter;
use super::context::{Caps, Context};
use super::dispatch::{Bind, Dispatch};
use super::pipeline::{Shader, Slot};
use super::shaders::{self, Variant};
use crate::{Control, Error, Result};

/// What the self-test found.
#[derive(Debug, Clone)]
pub(super) struct SelfTest {
    /// The adapter's features, and what is true of its arithmetic.
    pub(super) caps: Caps,
    /// What users should know, in words.
    pub(super) warnings: Vec<String>,
}

/// Iterations of the loop that one driver is known to cut short at 65,535 (Mesa before 23).
const LONG_LOOP: u32 = 70_000;
/// Rounds of integer operations per invocation.
const ROUNDS: u32 = 8;
const SEED: [u32; 2] = [0x1234_5678, 0x9ABC_DEF1];
/// The smallest normal f32, halved, and a smaller denormal.
const DENORMALS: [u32; 2] = [0x0040_0000, 3];
/// 1 + 2^-12, whose square is 1 + 2^-11 + 2^-24, and -(1 + 2^-11): the rounded product gives 0, the exact one 2^-24.
const FACTOR: u32 = 0x3F80_0800;
const ADDEND: u32 = 0xBF80_1000;
const TWO_TO_MINUS_24: u32 = 0x3380_0000;
const NAN: u32 = 0x7FA5_5AA5;
const INVOCATIONS: usize = 64;

fn source(int64: bool) -> String {
    shaders::join(&[shaders::mul_wide(int64), include_str!("../../shaders/selftest.wgsl")])
}

/// The variants of this shader.
pub(super) fn variants() -> Vec<Variant> {
    [false, true].map(|int64| Variant { label: "selftest", source: source(int64), layouts: vec![] }).into()
}

/// Runs the self-test on a device of its own. Fails if the device cannot compute with integers.
pub(super) fn run(adapter: &Adapter) -> Result<SelfTest> {
    let context = Context::open(adapter, adapter.caps(), Arc::default())?;
    judge(&context, &measure(&context)?)
}

/// The words that the shader found.
fn measure(context: &Arc<Context>) -> Result<Vec<u32>> {
    let int64 = context.caps.int64;
    let pipeline = context.pipeline(&Shader {
        label: "selftest",
        source: &|| source(int64),
        variant: if int64 { "u64" } else { "u32" },
        constants: &[],
        workgroup: [INVOCATIONS as u32, 1, 1],
        workgroup_bytes: 4 * INVOCATIONS as u32,
        slots: &[Slot::Read, Slot::ReadWrite],
    })?;
    let given = [SEED[0], SEED[1], ROUNDS, LONG_LOOP, DENORMALS[0], DENORMALS[1], FACTOR, ADDEND, NAN];
    let given: &[u8] = bytemuck::bytes_of(&given);
    let (input, output) = (context.block(given.len() as u64)?, context.block(1024)?);
    let control = Control::new();
    context.upload(&input, given.len() as u64, &control, &mut |range, out| {
        out.copy_from_slice(&given[range.start as usize..range.end as usize]);
    })?;
    let dispatch = Dispatch { pipeline: &pipeline, binds: &[Bind::Block(&input), Bind::Block(&output)], groups: [1, 1, 1] };
    let submission = context.submit(&[dispatch])?;
    context.wait(submission, &control)?;
    Ok(bytemuck::pod_collect_to_vec(&context.read_small(&output, 4 * (16 + INVOCATIONS as u64))?))
}

fn judge(context: &Context, found: &[u32]) -> Result<SelfTest> {
    let refuse = |what: &str| {
        let reason = format!("{} failed the self-test: {what}; its results cannot be trusted", context.id);
        Error::NoDevice { device: context.id.split(' ').next().unwrap_or("gpu").into(), reason }
    };
    if (0..INVOCATIONS).any(|local| found[16 + local] != integers(local as u32)) {
        return Err(refuse("integer arithmetic or workgroup memory gives wrong values"));
    }
    if found[4] != NAN {
        return Err(refuse("bits change when they are moved"));
    }
    let mut warnings = vec![];
    if found[0] != LONG_LOOP {
        warnings.push(format!(
            "a loop of {LONG_LOOP} iterations stops after {} (a fault of old drivers); unisono's shaders stay far below",
            found[0]
        ));
    }
    let denormals = found[1] == DENORMALS[0] + DENORMALS[1];
    if !denormals {
        warnings.push("f32 denormals are flushed to 0 in default float convolution; exact operations are not affected".into());
    }
    let caps = Caps { denormals, contracts: found[2] == TWO_TO_MINUS_24, fma: found[3] == TWO_TO_MINUS_24, ..context.caps };
    Ok(SelfTest { caps, warnings })
}

fn mix(value: u32) -> u32 {
    let x = (value ^ (value >> 16)).wrapping_mul(0x7FEB_352D);
    let y = (x ^ (x >> 15)).wrapping_mul(0x846C_A68B);
    y ^ (y >> 16)
}

/// What invocation `local` should find.
fn integers(local: u32) -> u32 {
    let mut a = mix(SEED[0].wrapping_add(local));
    let mut b = mix(a.wrapping_add(SEED[1]));
    let mut sum = 0u32;
    for _ in 0..ROUNDS {
        let wide = u64::from(a) * u64::from(b);
        let (signed_a, signed_b) = (a as i32, b as i32);
        let divisor = (b >> 20) | 1;
        sum = mix(sum ^ wide as u32).wrapping_add((wide >> 32) as u32);
        sum = mix(sum.wrapping_add(a / divisor)) ^ (a % divisor);
        sum = mix(sum ^ (signed_a >> (b & 31)) as u32).wrapping_add(a << (b & 31));
        sum = mix(sum.wrapping_add((signed_a / divisor as i32) as u32) ^ (a >> (b & 15)).leading_zeros());
        sum = mix(sum.wrapping_add(a.count_ones() + u32::from(signed_a < signed_b) + u32::from(a < b) * 2));
        sum = mix(sum ^ (signed_a.min(signed_b) as u32).wrapping_add(a.max(b)) ^ b.reverse_bits());
        sum = mix(sum.wrapping_add((a >> 5) & 0x1FF) ^ (signed_a >> 16) as u32);
        a = mix(a.wrapping_add(sum));
        b = mix(b ^ a);
    }
    sum
}
