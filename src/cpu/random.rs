//! Arrays of random numbers on the CPU: blocks of the generator in SIMD lanes, then each element from its words.

use std::sync::Mutex;

use super::expr::{self, Words, words};
use super::simd::{Kernel, Simd};
use super::tasks;
use crate::array::{HostVec, Storage};
use crate::dtype::private::Host;
use crate::engine::Target;
use crate::philox::{MULTIPLIERS, Philox4x32, WEYL};
use crate::plan::{Draw, RandomPlan};
use crate::random::{BitGenerator, PARITY, Quantile, ROTATIONS, Scaled, Stream, mul_high};
use crate::view::ViewMut;
use crate::{Control, Dtype, Element, Result};

/// Elements per task, a multiple of [`TOGETHER`].
const CHUNK: usize = 1 << 14;
/// Elements whose words are made at a time: they stay in the first-level cache.
const TOGETHER: usize = 1 << 10;

/// Draws the plan's elements on the current threads.
pub(super) fn run(plan: &RandomPlan, target: Target<'_>, simd: Simd, control: &Control) -> Result<Option<Storage>> {
    match plan.dtype {
        Dtype::F32 => draw::<f32>(plan, target, simd, control),
        Dtype::F64 => draw::<f64>(plan, target, simd, control),
        Dtype::Bool => draw::<bool>(plan, target, simd, control),
        Dtype::U8 => draw::<u8>(plan, target, simd, control),
        Dtype::I8 => draw::<i8>(plan, target, simd, control),
        Dtype::U16 => draw::<u16>(plan, target, simd, control),
        Dtype::I16 => draw::<i16>(plan, target, simd, control),
        Dtype::U32 => draw::<u32>(plan, target, simd, control),
        Dtype::I32 => draw::<i32>(plan, target, simd, control),
        Dtype::U64 => draw::<u64>(plan, target, simd, control),
        Dtype::I64 => draw::<i64>(plan, target, simd, control),
        Dtype::C64 | Dtype::C128 => {
            let expected = "a real dtype".into();
            Err(crate::Error::Dtype { what: "random numbers".into(), got: plan.dtype, expected })
        }
    }
}

fn draw<T: Number>(plan: &RandomPlan, target: Target<'_>, simd: Simd, control: &Control) -> Result<Option<Storage>> {
    let range = plan.elements.start as usize..plan.elements.end as usize;
    match target {
        Target::Host(mut out) => {
            let whole = out.len();
            match out.as_slice::<T>() {
                Some(slice) => fill(plan, &mut slice[range], simd, control)?,
                // Strided memory gets a copy; a part of a plan is given contiguous memory.
                None => strided::<T>(&RandomPlan { elements: 0..whole as u64, ..plan.clone() }, out, simd, control)?,
            }
            Ok(None)
        }
        Target::Device(reuse) => {
            let vec = super::host_memory(T::DTYPE, range.len(), reuse)?;
            let mut vec = T::from_host(vec).unwrap_or_default();
            fill(plan, &mut vec, simd, control)?;
            Ok(Some(Storage::Host(std::sync::Arc::new(T::into_host(vec)))))
        }
    }
}

fn strided<T: Number>(plan: &RandomPlan, mut out: ViewMut<'_>, simd: Simd, control: &Control) -> Result<()> {
    let mut vec = T::from_host(HostVec::zeros(T::DTYPE, out.len())?).unwrap_or_default();
    fill(plan, &mut vec, simd, control)?;
    out.copy_from_bytes(bytemuck::cast_slice(&vec));
    Ok(())
}

/// Draws the plan's elements into `out`, which has as many.
fn fill<T: Number>(plan: &RandomPlan, out: &mut [T], simd: Simd, control: &Control) -> Result<()> {
    let words = plan.words();
    let parts: Vec<Mutex<&mut [T]>> = out.chunks_mut(CHUNK).map(Mutex::new).collect();
    tasks::for_each(parts.len(), 1, &|task| {
        control.check()?;
        let Ok(mut part) = parts[task].lock() else { return Ok(()) };
        let mut block = plan.first_block() + (task * CHUNK) as u64 * words / 4;
        let (mut buffer, mut apart) = ([[0; 4]; TOGETHER], [[0; expr::LANES]; 4]);
        for out in part.chunks_mut(TOGETHER) {
            let blocks = &mut buffer[..(out.len() * words as usize).div_ceil(4)];
            draw_blocks(plan.stream, block, blocks, &mut apart, simd);
            T::convert(plan.draw, words, blocks.as_flattened(), out, simd);
            block += blocks.len() as u64;
        }
        control.advance(part.len() as u64);
        Ok(())
    })
}

/// The blocks of a stream from `first` on, with room for their words one by one.
fn draw_blocks(stream: Stream, first: u64, out: &mut [[u32; 4]], apart: &mut Words, simd: Simd) {
    if stream.generator != BitGenerator::Philox4x32_10 {
        return simd.run(Blocks { stream, first, out });
    }
    let [k0, k1, ..] = stream.key();
    let keys = Philox4x32::new(join(k0, k1)).round_keys();
    let upper = [stream.stream as u32, (stream.stream >> 32) as u32];
    for (i, out) in out.chunks_mut(expr::LANES).enumerate() {
        let first = first.wrapping_add((i * expr::LANES) as u64);
        words(&keys, first, upper, out.len().next_multiple_of(128), apart, simd);
        simd.run(Together { apart, out });
    }
}

/// Puts the words of blocks together.
struct Together<'a> {
    apart: &'a Words,
    out: &'a mut [[u32; 4]],
}

impl Kernel for Together<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let [a, b, c, d] = self.apart;
        for ((((out, &a), &b), &c), &d) in self.out.iter_mut().zip(a).zip(b).zip(c).zip(d) {
            *out = [a, b, c, d];
        }
    }
}

/// Blocks of a stream, from `first` on, of any generator.
struct Blocks<'a> {
    stream: Stream,
    first: u64,
    out: &'a mut [[u32; 4]],
}

/// Blocks computed side by side.
const LANES: usize = 16;

impl Kernel for Blocks<'_> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        let Self { stream, first, out } = self;
        for (group, out) in out.chunks_mut(LANES).enumerate() {
            let mut words = [[0u32; LANES]; 4];
            words[2] = [stream.stream as u32; LANES];
            words[3] = [(stream.stream >> 32) as u32; LANES];
            let [low, high, ..] = &mut words;
            for (lane, (low, high)) in low.iter_mut().zip(high).enumerate() {
                let index = first.wrapping_add((group * LANES + lane) as u64);
                (*low, *high) = (index as u32, (index >> 32) as u32);
            }
            match stream.generator {
                BitGenerator::Philox4x32_10 | BitGenerator::Philox4x32_7 => philox(&stream, &mut words),
                BitGenerator::Threefry4x32_20 => threefry(&stream, &mut words),
            }
            for (lane, block) in out.iter_mut().enumerate() {
                *block = [words[0][lane], words[1][lane], words[2][lane], words[3][lane]];
            }
        }
    }
}

#[inline(always)]
fn philox(stream: &Stream, words: &mut [[u32; LANES]; 4]) {
    let [mut k0, mut k1, ..] = stream.key();
    let [m0, m1] = MULTIPLIERS.map(u64::from);
    let [a, b, c, d] = words;
    for _ in 0..stream.generator.rounds() {
        for i in 0..LANES {
            let (p0, p1) = (u64::from(a[i]) * m0, u64::from(c[i]) * m1);
            (a[i], b[i]) = ((p1 >> 32) as u32 ^ b[i] ^ k0, p1 as u32);
            (c[i], d[i]) = ((p0 >> 32) as u32 ^ d[i] ^ k1, p0 as u32);
        }
        (k0, k1) = (k0.wrapping_add(WEYL[0]), k1.wrapping_add(WEYL[1]));
    }
}

#[inline(always)]
fn threefry(stream: &Stream, words: &mut [[u32; LANES]; 4]) {
    let [k0, k1, k2, k3] = stream.key();
    let keys = [k0, k1, k2, k3, PARITY ^ k0 ^ k1 ^ k2 ^ k3];
    let [x0, x1, x2, x3] = words;
    let rounds = stream.generator.rounds();
    for round in 0..=rounds {
        if round % 4 == 0 {
            let times = round / 4;
            for i in 0..LANES {
                x0[i] = x0[i].wrapping_add(keys[times % 5]);
                x1[i] = x1[i].wrapping_add(keys[(times + 1) % 5]);
                x2[i] = x2[i].wrapping_add(keys[(times + 2) % 5]);
                x3[i] = x3[i].wrapping_add(keys[(times + 3) % 5].wrapping_add(times as u32));
            }
        }
        if round == rounds {
            break;
        }
        let [first, second] = ROTATIONS[round % 8];
        let (y0, y1) = if round % 2 == 0 { (&mut *x1, &mut *x3) } else { (&mut *x3, &mut *x1) };
        for i in 0..LANES {
            x0[i] = x0[i].wrapping_add(y0[i]);
            y0[i] = y0[i].rotate_left(first) ^ x0[i];
            x2[i] = x2[i].wrapping_add(y1[i]);
            y1[i] = y1[i].rotate_left(second) ^ x2[i];
        }
    }
}

/// Elements, each from its `W` words.
struct Each<'a, T, const W: usize, F> {
    words: &'a [u32],
    out: &'a mut [T],
    each: F,
}

impl<T, const W: usize, F: Fn([u32; W]) -> T> Kernel for Each<'_, T, W, F> {
    type Output = ();

    #[inline(always)]
    fn run<const BYTES: usize>(self) {
        for (out, words) in self.out.iter_mut().zip(self.words.as_chunks::<W>().0) {
            *out = (self.each)(*words);
        }
    }
}

fn each<T, const W: usize>(words: &[u32], out: &mut [T], simd: Simd, each: impl Fn([u32; W]) -> T) {
    simd.run(Each { words, out, each });
}

#[inline(always)]
fn join(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

/// An element that can be drawn.
trait Number: Element + Host + Send + Sync {
    /// Elements from their words.
    fn convert(draw: Draw, per_element: u64, words: &[u32], out: &mut [Self], simd: Simd);
}

macro_rules! integers {
    ($($type:ty => $of:expr;)*) => {$(
        impl Number for $type {
            fn convert(draw: Draw, per_element: u64, words: &[u32], out: &mut [Self], simd: Simd) {
                let Draw::Integers { low, range } = draw else { return };
                let of: fn(u64) -> Self = $of;
                match (per_element, range) {
                    (4, 0) => each(words, out, simd, |[_, _, c, d]: [u32; 4]| of(low.wrapping_add(join(c, d)))),
                    (4, _) => each(words, out, simd, |[a, b, c, d]: [u32; 4]| {
                        // The upper half of a product of 192 bits.
                        let (upper, carry) = (u128::from(join(c, d)) * u128::from(range), mul_high(join(a, b), range));
                        of(low.wrapping_add(((upper + u128::from(carry)) >> 64) as u64))
                    }),
                    _ => each(words, out, simd, |[a, b]: [u32; 2]| of(low.wrapping_add(mul_high(join(a, b), range)))),
                }
            }
        }
    )*};
}
integers! {
    bool => |x| x & 1 == 1;
    u8 => |x| x as u8;
    i8 => |x| x as i8;
    u16 => |x| x as u16;
    i16 => |x| x as i16;
    u32 => |x| x as u32;
    i32 => |x| x as i32;
    u64 => |x| x;
    i64 => |x| x as i64;
}

/// `2^exponent` where every number of up to 64 bits times it is normal, so that multiplying by it does not round.
macro_rules! floats {
    ($($type:ty, $bits:ty, $least:literal, $most:literal, $to:ident, $lanes:expr;)*) => {$(
        impl Number for $type {
            fn convert(draw: Draw, per_element: u64, words: &[u32], out: &mut [Self], simd: Simd) {
                match per_element {
                    1 => <$type>::convert_words(draw, words, out, simd, |[u]: [u32; 1]| join(0, u), true),
                    _ => <$type>::convert_words(draw, words, out, simd, |[low, high]: [u32; 2]| join(low, high), false),
                }
            }
        }

        impl Convert for $type {
            fn convert_words<const W: usize>(
                draw: Draw,
                words: &[u32],
                out: &mut [Self],
                simd: Simd,
                word: impl Fn([u32; W]) -> u64 + Copy,
                narrow: bool,
            ) {
                let scaled = |negative, magnitude, exponent, down| Scaled { negative, magnitude, exponent }.$to(down);
                let power = |exponent: i32| (($least..=$most).contains(&exponent)).then(|| (2 as $type).powi(exponent));
                match draw {
                    Draw::Uniform { low, span, exponent } => {
                        let at = move |words| low.wrapping_add(mul_high(span, word(words)) as i64);
                        // The next number below: a smaller magnitude if positive, a larger one if negative.
                        let below = |exact: i64| {
                            let near = exact as $type;
                            let step = <$bits>::from(near as i64 > exact);
                            let bits = near.to_bits();
                            <$type>::from_bits(if near < 0.0 { bits.wrapping_add(step) } else { bits.wrapping_sub(step) })
                        };
                        match (power(exponent), span.trailing_zeros()) {
                            // A power of two only shifts, which vectors can do.
                            (Some(power), bits @ 1..) if span.is_power_of_two() => each(words, out, simd, |words| {
                                below(low.wrapping_add((word(words) >> (64 - bits)) as i64)) * power
                            }),
                            (Some(power), _) => each(words, out, simd, |words| below(at(words)) * power),
                            (None, _) => each(words, out, simd, |words| {
                                let exact = at(words);
                                scaled(exact < 0, exact.unsigned_abs(), exponent, true)
                            }),
                        }
                    }
                    Draw::Normal { mean, scale, exponent } => {
                        let table = Quantile::Normal.table();
                        let at = move |words| {
                            let word = word(words);
                            let z = if narrow { table.of_u32((word >> 31) as u32 | 1) } else { table.of_u64(word << 1 | 1) };
                            let z = mul_high(scale, z) as i64;
                            mean + if word >> 63 == 1 { -z } else { z }
                        };
                        match power(exponent) {
                            Some(power) if narrow && $lanes(draw, words, out, power, simd, &|u| at([u; W]) as $type * power) => {}
                            Some(power) => each(words, out, simd, |words| at(words) as $type * power),
                            None => each(words, out, simd, |words| {
                                let exact = at(words);
                                scaled(exact < 0, exact.unsigned_abs(), exponent, false)
                            }),
                        }
                    }
                    Draw::Exponential { scale, exponent } => {
                        let table = Quantile::Exponential.table();
                        let at = move |words| {
                            let word = word(words);
                            let z = if narrow { table.of_u32((word >> 32) as u32 | 1) } else { table.of_u64(word | 1) };
                            mul_high(scale, z)
                        };
                        match power(exponent) {
                            Some(power) if narrow && $lanes(draw, words, out, power, simd, &|u| at([u; W]) as $type * power) => {}
                            Some(power) => each(words, out, simd, |words| at(words) as $type * power),
                            None => each(words, out, simd, |words| scaled(false, at(words), exponent, false)),
                        }
                    }
                    Draw::Integers { .. } => {}
                }
            }
        }
    )*};
}

/// Floats from the 64-bit word that their own words make.
trait Convert: Sized {
    /// `narrow`: the word has 32 bits, above 32 zeros.
    fn convert_words<const W: usize>(
        draw: Draw,
        words: &[u32],
        out: &mut [Self],
        simd: Simd,
        word: impl Fn([u32; W]) -> u64 + Copy,
        narrow: bool,
    );
}

floats! {
    f32, u32, -126, 63, to_f32, many;
    f64, u64, -1022, 959, to_f64, |_, _, _: &mut [f64], _, _, _: &dyn Fn(u32) -> f64| false;
}

/// Normal and exponential numbers of a word each, many at a time. The answer is whether this level has vectors for it.
fn many(draw: Draw, words: &[u32], out: &mut [f32], power: f32, simd: Simd, one: &dyn Fn(u32) -> f32) -> bool {
    #[cfg(target_arch = "x86_64")]
    return simd == Simd::Avx512 && super::inversion::draw(draw, words, out, power, one);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (draw, words, out, power, simd, one);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn blocks_are_the_generators() {
        for simd in Simd::available() {
            for generator in BitGenerator::ALL {
                let stream = Stream::new(u64::MAX - 5).generator(generator).with_stream(1 << 40 | 3);
                for first in [0, 7, (1 << 32) - 9, u64::MAX - 20] {
                    let mut out = [[0; 4]; 1037];
                    for n in [37, 1037] {
                        draw_blocks(stream, first, &mut out[..n], &mut [[0; expr::LANES]; 4], simd);
                        for (i, block) in out[..n].iter().enumerate() {
                            assert_eq!(*block, stream.block(first.wrapping_add(i as u64)), "{simd:?} {generator} {first} {i}");
                        }
                    }
                }
            }
        }
    }

    /// The definition of `docs/numerics.md`, element by element.
    fn by_definition(plan: &RandomPlan, i: u64) -> Scaled {
        let words = plan.words();
        let word = |w: u64| {
            let at = 4 * u128::from(plan.start) + u128::from(i * words + w);
            plan.stream.block((at / 4) as u64)[(at % 4) as usize]
        };
        let u = if words == 1 { join(0, word(0)) } else { join(word(0), word(1)) };
        let high = |a: u64, b: u64| ((u128::from(a) * u128::from(b)) >> 64) as i128;
        let quantile = |quantile: Quantile, v: u64, bits: u32| match words {
            1 => quantile.table().of_u32((v >> 32) as u32 | 1),
            _ => quantile.table().of_u64(v << (bits - 64) | 1),
        };
        let (value, exponent) = match plan.draw {
            Draw::Uniform { low, span, exponent } => (i128::from(low) + high(span, u), exponent),
            Draw::Normal { mean, scale, exponent } => {
                let z = if words == 1 { quantile(Quantile::Normal, u << 1, 64) } else { quantile(Quantile::Normal, u, 65) };
                let z = high(scale, z);
                (i128::from(mean) + if u >> 63 == 1 { -z } else { z }, exponent)
            }
            Draw::Exponential { scale, exponent } => (high(scale, quantile(Quantile::Exponential, u, 64)), exponent),
            Draw::Integers { low, range } => {
                let range = if range == 0 { 1u128 << 64 } else { range.into() };
                let upper = u128::from(if words == 4 { join(word(2), word(3)) } else { u });
                let lower = if words == 4 { (u128::from(join(word(0), word(1))) * range) >> 64 } else { 0 };
                (i128::from(low.wrapping_add(((upper * range + lower) >> 64) as u64) as i64), 0)
            }
        };
        Scaled { negative: value < 0, magnitude: value.unsigned_abs() as u64, exponent }
    }

    #[test]
    fn floats_are_those_of_their_definition() {
        let distributions = [
            Random::uniform(0.0, 1.0),
            Random::uniform(-1.0, 1.0),
            Random::uniform(-3.25, 1e-3),
            Random::uniform(-1e-44, 3e-44),
            Random::uniform(-3e38, 3e38),
            Random::normal(0.0, 1.0),
            Random::normal(-1e6, 0.37),
            Random::normal(0.0, 1e-40),
            Random::normal(0.0, 3e38),
            Random::normal(2.5, 0.0),
            Random::exponential(1.0),
            Random::exponential(1e-42),
            Random::exponential(1.7e38),
        ];
        for simd in Simd::available() {
            for how in distributions {
                for generator in BitGenerator::ALL {
                    let how = how.stream(Stream::new(11).generator(generator)).start(123);
                    let plan = RandomPlan::new(&how, Dtype::F32, &[2051]).unwrap();
                    let mut out = vec![0f32; 2051];
                    fill(&plan, &mut out, simd, &Control::new()).unwrap();
                    let down = matches!(plan.draw, Draw::Uniform { .. });
                    for (i, x) in out.iter().enumerate() {
                        assert_eq!(x.to_bits(), by_definition(&plan, i as u64).to_f32(down).to_bits(), "{how:?} {i}");
                    }
                    let plan = RandomPlan::new(&how, Dtype::F64, &[517]).unwrap();
                    let mut out = vec![0f64; 517];
                    fill(&plan, &mut out, simd, &Control::new()).unwrap();
                    for (i, x) in out.iter().enumerate() {
                        assert_eq!(x.to_bits(), by_definition(&plan, i as u64).to_f64(down).to_bits(), "{how:?} {i}");
                    }
                }
            }
        }
    }

    #[test]
    fn integers_are_those_of_their_definition() {
        for (low, high) in [(0, 1), (-5, 6), (0, 1 << 32), (-(1 << 40), 1 << 41), (i64::MIN.into(), 1 << 63)] {
            let how = Random::integers(low, high).stream(Stream::new(5));
            let plan = RandomPlan::new(&how, Dtype::I64, &[1031]).unwrap();
            let mut out = vec![0i64; 1031];
            fill(&plan, &mut out, Simd::current(), &Control::new()).unwrap();
            for (i, &x) in out.iter().enumerate() {
                let Scaled { negative, magnitude, .. } = by_definition(&plan, i as u64);
                let expected = if negative { (magnitude as i64).wrapping_neg() } else { magnitude as i64 };
                assert_eq!(x, expected, "{low} {high} {i}");
                assert!((low..high).contains(&i128::from(x)));
            }
        }
    }
}
