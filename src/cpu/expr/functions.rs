//! The functions of binary32 on vectors: the integers of `src/expr/binary32.rs`, eight or four lanes at a time.
//!
//! Conversions do at one go what the definition does in steps, exactly: widened to binary64, a subnormal number has its
//! leading bit in place; and a significand of 32 bits, put together with its exponent as a number of binary64, is rounded to
//! binary32 as `pack` does, overflow and subnormal results included. `every_binary32_number_has_the_bits_of_the_definition`
//! compares them for all arguments.

use super::LANES;
use super::twice::Twice;
use super::words::{Avx2, Avx512, Words};
use crate::cpu::simd::Simd;
use crate::expr::Unary;
use crate::expr::binary32::{COS, EXP2, HALVED, LN_2, LOG2, LOG2_E, LOG2_TABLE, LOG10_2, PER_LN2, RECIPROCAL, SIN, TWO_PER_PI};

type Block = [f32; LANES];

/// The bits of numbers of binary64.
const SIGN: u64 = 1 << 63;
const INFINITY: u64 = 0x7ff << 52;
const NAN: u64 = 0x7ff8 << 48;
const ONE: u64 = 1023 << 52;
/// 2^-13.
const SMALL: u64 = (1023 - 13) << 52;
/// Neighbouring words of 2/π, the earlier one above.
const PAIRS: [u64; 8] = {
    let mut pairs = [0; 8];
    let mut at = 0;
    while at < 8 {
        pairs[at] = (TWO_PER_PI[at] as u64) << 32 | TWO_PER_PI[at + 1] as u64;
        at += 1;
    }
    pairs
};

/// The coefficients of the polynomials.
struct Coefficients {
    exp2: [u64; 7],
    log2: [u64; 7],
    sin: [u64; 6],
    cos: [u64; 6],
}

/// Kept from the optimiser: where it can tell that a factor fits 32 bits, it forgets so before it chooses instructions, and
/// multiplies 64 bits.
fn coefficients() -> &'static Coefficients {
    const fn unsigned<const N: usize>(from: [u32; N]) -> [u64; N] {
        let (mut to, mut at) = ([0; N], 0);
        while at < N {
            to[at] = from[at] as u64;
            at += 1;
        }
        to
    }
    const fn signed<const N: usize>(from: [i32; N]) -> [u64; N] {
        let (mut to, mut at) = ([0; N], 0);
        while at < N {
            to[at] = from[at] as u64;
            at += 1;
        }
        to
    }
    static ALL: Coefficients = Coefficients { exp2: unsigned(EXP2), log2: signed(LOG2), sin: unsigned(SIN), cos: unsigned(COS) };
    std::hint::black_box(&ALL)
}

/// A function of all elements of a block. The answer is whether this level has vectors for it.
pub(super) fn unary(op: Unary, a: &Block, out: &mut Block, simd: Simd) -> bool {
    match Level::of(simd) {
        // SAFETY: the level's features were found on this CPU.
        Some(Level::Avx2) => unsafe { unary_avx2(op, a, out) },
        // SAFETY: as above.
        Some(Level::Avx512) => unsafe { unary_avx512(op, a, out) },
        // SAFETY: as above.
        Some(Level::Ifma) => unsafe { unary_ifma(op, a, out) },
        None => false,
    }
}

/// A power of all elements of two blocks, as [`unary`].
pub(super) fn power(a: &Block, b: &Block, out: &mut Block, simd: Simd) -> bool {
    match Level::of(simd) {
        // SAFETY: the level's features were found on this CPU.
        Some(Level::Avx2) => unsafe { power_avx2(a, b, out) },
        // SAFETY: as above.
        Some(Level::Avx512) => unsafe { power_avx512(a, b, out) },
        // SAFETY: as above.
        Some(Level::Ifma) => unsafe { power_ifma(a, b, out) },
        None => return false,
    }
    true
}

/// The levels with vectors of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Avx2,
    /// With AVX-512 CD, which all CPUs of this level have.
    Avx512,
    /// With multiply-adds of 52 bits too.
    Ifma,
}

impl Level {
    pub(super) fn of(simd: Simd) -> Option<Self> {
        match simd {
            Simd::Avx512 if is_x86_feature_detected!("avx512cd") => {
                Some(if is_x86_feature_detected!("avx512ifma") { Self::Ifma } else { Self::Avx512 })
            }
            Simd::Avx512 | Simd::Avx2 => Some(Self::Avx2),
            Simd::Portable => None,
        }
    }
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn unary_avx2(op: Unary, a: &Block, out: &mut Block) -> bool {
    apply::<Avx2>(op, a, out)
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
pub(super) fn unary_avx512(op: Unary, a: &Block, out: &mut Block) -> bool {
    apply::<Twice<Avx512<false>>>(op, a, out)
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512ifma")]
pub(super) fn unary_ifma(op: Unary, a: &Block, out: &mut Block) -> bool {
    if op == Unary::Exp && super::exp::common(a, out) {
        return true;
    }
    apply::<Twice<Avx512<true>>>(op, a, out)
}

#[target_feature(enable = "avx2,fma")]
pub(super) fn power_avx2(a: &Block, b: &Block, out: &mut Block) {
    pairs::<Avx2>(a, b, out);
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
pub(super) fn power_avx512(a: &Block, b: &Block, out: &mut Block) {
    pairs::<Twice<Avx512<false>>>(a, b, out);
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512ifma")]
pub(super) fn power_ifma(a: &Block, b: &Block, out: &mut Block) {
    pairs::<Twice<Avx512<true>>>(a, b, out);
}

#[inline(always)]
fn apply<V: Words>(op: Unary, a: &Block, out: &mut Block) -> bool {
    let k = coefficients();
    match op {
        Unary::Exp => each(a, out, |x: V| exp(x, k)),
        Unary::Exp2 => each(a, out, |x: V| exp2(x, k)),
        Unary::Log => each(a, out, |x: V| log_times(x, Some(LN_2), 0, k)),
        Unary::Log2 => each(a, out, |x: V| log_times(x, None, 0, k)),
        Unary::Log10 => each(a, out, |x: V| log_times(x, Some(LOG10_2), -1, k)),
        Unary::Sin => each(a, out, |x: V| circular::<V, false>(x, k)),
        Unary::Cos => each(a, out, |x: V| circular::<V, true>(x, k)),
        _ => return false,
    }
    true
}

#[inline(always)]
fn each<V: Words>(a: &Block, out: &mut Block, f: impl Fn(V) -> V) {
    for at in (0..LANES).step_by(V::LANES) {
        // SAFETY: both have LANES elements, a multiple of V::LANES.
        unsafe { f(V::widen(a.as_ptr().add(at))).narrow(out.as_mut_ptr().add(at)) };
    }
}

#[inline(always)]
fn pairs<V: Words>(a: &Block, b: &Block, out: &mut Block) {
    let k = coefficients();
    for at in (0..LANES).step_by(V::LANES) {
        // SAFETY: all have LANES elements, a multiple of V::LANES.
        unsafe {
            pow(V::widen(a.as_ptr().add(at)), V::widen(b.as_ptr().add(at)), k).narrow(out.as_mut_ptr().add(at));
        }
    }
}

/// The exponent field of a number of binary64, the sign left out.
#[inline(always)]
fn field<V: Words>(x: V) -> V {
    x.shr::<52>().and(V::splat(0x7ff))
}

/// The 24 bits of the significand of what was binary32; of zero, 2^23.
#[inline(always)]
fn significand<V: Words>(x: V) -> V {
    x.shr::<29>().and(V::splat(0x7f_ffff)).or(V::splat(0x80_0000))
}

/// `exp2_scaled`. Where `shift` is below 15, negative or not, `p` is not 0 and the result 0 or infinite; from there on the
/// exponent fits binary64.
#[inline(always)]
fn exp2_scaled<V: Words>(p: V, shift: V, negative: V::Mask, k: &Coefficients) -> V {
    let t = V::select(shift.less(V::splat(15)), V::splat(1 << 41), p.shr_by(shift));
    let t = V::select(negative, V::splat(0).sub(t), t);
    let f = t.factor();
    let mut y = V::splat(k.exp2[6]);
    for i in (0..6).rev() {
        y = y.horner(f, V::splat(k.exp2[i]));
    }
    let m = y.horner(f, V::splat(1 << 31));
    let exponent = t.and(V::splat(0xffff_ffff_0000_0000)).shl::<20>();
    // The significand's leading bit adds 1 to the exponent.
    m.shl::<21>().add(exponent.add(V::splat(1022 << 52)))
}

#[inline(always)]
fn exp<V: Words>(x: V, k: &Coefficients) -> V {
    let m = significand(x);
    let p = m.mul(V::splat(LOG2_E >> 32)).add(m.mul(V::splat(LOG2_E & 0xffff_ffff)).shr::<32>());
    let y = exp2_scaled(p, V::splat(1045).sub(field(x)), x.is_negative(), k);
    V::select(x.is_nan(), V::splat(NAN), y)
}

#[inline(always)]
fn exp2<V: Words>(x: V, k: &Coefficients) -> V {
    let y = exp2_scaled(significand(x).shl::<31>(), V::splat(1045).sub(field(x)), x.is_negative(), k);
    V::select(x.is_nan(), V::splat(NAN), y)
}

#[inline(always)]
fn log2_parts<V: Words>(x: V, k: &Coefficients) -> (V, V) {
    let m = significand(x);
    let i = m.shr::<18>().and(V::splat(31));
    let r = m.mul(V::of_many_narrow(&RECIPROCAL, i)).sub(V::splat(1 << 31));
    let scaled = r.shl::<5>();
    let mut y = V::splat(k.log2[6]);
    for i in (0..6).rev() {
        y = y.mul_signed(scaled).shr::<32>().add(V::splat(k.log2[i]));
    }
    let slope = V::splat(PER_LN2 as u64).add(r.mul_signed(y));
    let above = r.mul_signed(slope.shr::<32>()).shl::<1>();
    // A signed factor and an unsigned one.
    let below = r.mul(slope);
    let below = below.sub(V::select(r.is_negative(), slope.shl::<32>(), V::splat(0)));
    let rest = above.add(below.sra::<31>()).add(V::of_many(&LOG2_TABLE, i));
    let whole = field(x).sub(V::splat(1023));
    let halved = V::splat(u64::from(HALVED) - 1).less(i);
    (V::select(halved, whole.add(V::splat(1)), whole), rest)
}

/// Whether it is negative, the normalised magnitude, its exponent.
#[inline(always)]
fn log2_whole<V: Words>((whole, rest): (V, V)) -> (V, V, V) {
    let near = whole.equal(V::splat(0));
    let value = V::select(near, rest, whole.shl::<53>().add(rest.sra::<9>()));
    let point = V::select(near, V::splat(1), V::splat(10));
    let magnitude = value.abs();
    let zeros = magnitude.leading_zeros();
    (value, magnitude.shl_by(zeros), point.sub(zeros))
}

#[inline(always)]
fn log_times<V: Words>(x: V, factor: Option<u32>, more: i64, k: &Coefficients) -> V {
    let (value, m, exponent) = log2_whole(log2_parts(x.and(V::splat(!SIGN)), k));
    let high = m.shr::<32>();
    let (top, exponent) = match factor {
        Some(factor) => {
            let product = high.mul(V::splat(factor.into()));
            let normal = product.is_negative();
            let top = V::select(normal, product.shr::<32>(), product.shr::<31>());
            (top, V::select(normal, exponent, exponent.sub(V::splat(1))))
        }
        None => (high, exponent),
    };
    let bits = top.shl::<21>().add(exponent.add(V::splat((1022 + more) as u64)).shl::<52>());
    let y = bits.or(value.and(V::splat(SIGN)));
    let y = V::select(m.equal(V::splat(0)), V::splat(0), y);
    // As integers, the bits of positive finite numbers lie between those of 0 and of infinity.
    let common = V::both(V::splat(0).less(x), x.less(V::splat(INFINITY)));
    if !V::any(V::not(common)) {
        return y;
    }
    let y = V::select(common, y, V::splat(NAN));
    let y = V::select(x.equal(V::splat(INFINITY)), x, y);
    V::select(x.shl::<1>().equal(V::splat(0)), V::splat(SIGN | INFINITY), y)
}

#[inline(always)]
fn circular<V: Words, const COSINE: bool>(x: V, k: &Coefficients) -> V {
    let magnitude = x.and(V::splat(!SIGN));
    let m = significand(x);
    // Arguments whose bits of 2/π lie elsewhere than in the table have other results.
    let from = field(x).sub(V::splat(1023 - 39));
    let (at, shift) = (from.shr::<5>(), V::splat(32).sub(from.and(V::splat(31))));
    let word = |i: u64| V::of_eight(&PAIRS, at.add(V::splat(i))).shr_by(shift);
    let turns = m.mul(word(2)).shr::<32>().add(m.mul(word(1))).add(m.mul(word(0)).shl::<32>());
    let quadrant = turns.add(V::splat(1 << 61)).shr::<62>();
    let r = turns.sub(quadrant.shl::<62>());
    let a = r.abs();
    let z = a.shr::<30>();
    let z = z.mul(z).shr::<32>();
    let quadrant = if COSINE { quadrant.add(V::splat(1)) } else { quadrant };
    let odd = quadrant.shl::<63>().is_negative();
    let coefficient = |i: usize| V::select(odd, V::splat(k.cos[i]), V::splat(k.sin[i]));
    let f = z.factor();
    let mut y = coefficient(5);
    for i in (0..5).rev() {
        y = y.horner_less(f, coefficient(i));
    }
    let zeros = a.leading_zeros();
    let product = a.shl_by(zeros).shr::<32>().mul(y);
    let normal = product.is_negative();
    let top = V::select(normal, product.shr::<32>(), product.shr::<31>());
    let exponent = V::select(normal, V::splat(1022 + 2), V::splat(1022 + 1)).sub(zeros);
    let sine = top.shl::<21>().add(exponent.shl::<52>());
    // 2^31, or a bit less in length: so the leading bit is put one place higher, where 2^31 gives 1.
    let cosine = y.horner_less(f, V::splat(1 << 31)).shl::<22>().add(V::splat(1021 << 52));
    let sign = quadrant.shl::<62>().xor(V::select(odd, V::splat(0), r));
    let sign = if COSINE { sign } else { sign.xor(x) };
    let y = V::select(odd, cosine, sine).or(sign.and(V::splat(SIGN)));
    let common = V::both(V::splat(SMALL - 1).less(magnitude), magnitude.less(V::splat(INFINITY)));
    if !V::any(V::not(common)) {
        return y;
    }
    let small = if COSINE { V::splat(ONE) } else { x };
    let y = V::select(magnitude.less(V::splat(SMALL)), small, y);
    V::select(magnitude.less(V::splat(INFINITY)), y, V::splat(NAN))
}

#[inline(always)]
fn pow<V: Words>(x: V, y: V, k: &Coefficients) -> V {
    let (zero, one, infinity) = (V::splat(0), V::splat(ONE), V::splat(INFINITY));
    let (xm, ym) = (x.and(V::splat(!SIGN)), y.and(V::splat(!SIGN)));
    let (m, field_y) = (significand(y), field(y));
    let (log, u, exponent) = log2_whole(log2_parts(xm, k));
    let p = m.mul(u.shr::<32>()).add(m.mul(u).shr::<32>());
    let shift = V::splat(1045).sub(field_y).sub(exponent);
    let shift = V::select(p.equal(zero), V::splat(63), shift);
    let magnitude = exp2_scaled(p, shift, log.xor(y).is_negative(), k);
    let finite = V::both(V::both(zero.less(x), x.less(infinity)), V::both(zero.less(ym), ym.less(infinity)));
    let common = V::both(finite, V::not(x.equal(one)));
    if !V::any(V::not(common)) {
        return magnitude;
    }
    // The places of y behind the point.
    let places = V::splat(1023 + 23).sub(field_y);
    let behind = m.and(V::splat(1).shl_by(places).sub(V::splat(1)));
    let whole = V::either(V::either(places.less(V::splat(1)), behind.equal(zero)), ym.equal(zero));
    let odd = V::both(whole, m.shr_by(places).shl::<63>().is_negative());
    let sign = V::select(odd, x.and(V::splat(SIGN)), zero);
    let (bigger, lesser) = (one.less(xm), y.is_negative());
    let grows = V::either(V::both(bigger, V::not(lesser)), V::both(V::not(bigger), lesser));
    let unbounded = V::select(grows, infinity, zero);
    let result = sign.or(magnitude);
    let result = V::select(V::both(x.is_negative(), V::not(whole)), V::splat(NAN), result);
    let edge = V::either(V::either(xm.equal(zero), xm.equal(infinity)), ym.equal(infinity));
    let result = V::select(edge, sign.or(unbounded), result);
    let result = V::select(V::both(xm.equal(one), ym.equal(infinity)), one, result);
    let result = V::select(V::either(x.is_nan(), y.is_nan()), V::splat(NAN), result);
    V::select(V::either(ym.equal(zero), x.equal(one)), one, result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Philox4x32;
    use crate::expr::scalar::{Lane, unary as scalar};

    const FUNCTIONS: [Unary; 7] = [Unary::Exp, Unary::Exp2, Unary::Log, Unary::Log2, Unary::Log10, Unary::Sin, Unary::Cos];

    /// The levels of this CPU, the ways of `unary` and `power` at each.
    type Way = (&'static str, fn(Unary, &Block, &mut Block) -> bool, fn(&Block, &Block, &mut Block));

    fn ways() -> Vec<Way> {
        let best = Simd::available().into_iter().filter_map(Level::of).next_back();
        // SAFETY, for all blocks: only levels up to `best` are returned, whose features were found on this CPU.
        #[allow(clippy::undocumented_unsafe_blocks)]
        let all: [Way; 3] = [
            ("AVX2", |op, a, out| unsafe { unary_avx2(op, a, out) }, |a, b, out| unsafe { power_avx2(a, b, out) }),
            ("AVX-512", |op, a, out| unsafe { unary_avx512(op, a, out) }, |a, b, out| unsafe { power_avx512(a, b, out) }),
            ("IFMA", |op, a, out| unsafe { unary_ifma(op, a, out) }, |a, b, out| unsafe { power_ifma(a, b, out) }),
        ];
        all[..best.map_or(0, |best| best as usize + 1)].to_vec()
    }

    /// Compares the numbers whose bits start at `first`.
    fn check(first: u32) {
        let a: Block = std::array::from_fn(|i| f32::from_bits(first + i as u32));
        for op in FUNCTIONS {
            let expected = a.map(|x| scalar(op, x));
            for (name, unary, _) in ways() {
                let mut out = [0.0; LANES];
                assert!(unary(op, &a, &mut out));
                for i in 0..LANES {
                    assert_eq!(out[i].to_bits(), expected[i].to_bits(), "{name} {op:?}({:e}): {:e}", a[i], out[i]);
                }
            }
        }
    }

    #[test]
    fn functions_have_the_bits_of_the_definition() {
        (0..=u32::MAX - LANES as u32).step_by(4001 * LANES).for_each(check);
        // Every exponent and the special numbers.
        for sign in [0, 1 << 31] {
            (0..256).for_each(|exponent: u32| check(sign | (exponent << 23).saturating_sub(LANES as u32 / 2)));
        }
    }

    /// All of them: some minutes with optimisation. `cargo test --release -- --ignored every_binary32`.
    #[test]
    #[ignore = "all 2^32 numbers, seven times"]
    fn every_binary32_number_has_the_bits_of_the_definition() {
        std::thread::scope(|scope| {
            let threads = std::thread::available_parallelism().map_or(1, usize::from);
            for thread in 0..threads {
                scope.spawn(move || (thread * LANES..1 << 32).step_by(threads * LANES).for_each(|first| check(first as u32)));
            }
        });
    }

    #[test]
    fn powers_have_the_bits_of_the_definition() {
        let special = [
            0.0,
            1.0,
            0.5,
            2.0,
            3.0,
            1e-45,
            f32::MAX,
            f32::INFINITY,
            f32::NAN,
            1.5,
            16777215.0,
            16777216.0,
            16777218.0,
            8388607.5,
            0.99999994,
            1.0000001,
            8388607.0,
        ];
        let philox = Philox4x32::new(3);
        for round in 0..600 {
            let pick = |i: usize, kind: usize| {
                let [a, b, ..] = philox.block((round * LANES + i) as u64 * 2 + kind as u64 % 2);
                match kind / 2 % 5 {
                    0 => f32::from_bits(special[a as usize % special.len()].to_bits() | (b & 1) << 31),
                    1 => f32::from_bits(a),
                    2 => (a as i32 >> 24) as f32 * 0.5,
                    3 => f32::from_bits(0x3f80_0000 + (a >> 14) - (1 << 17)),
                    _ => f32::from_bits((a & 0x87ff_ffff) + 0x3c00_0000),
                }
            };
            // Whole blocks without special cases too.
            let a: Block = std::array::from_fn(|i| if round % 2 == 0 { pick(i, 2 * i) } else { pick(i, 8).abs() });
            let b: Block = std::array::from_fn(|i| pick(i, if round % 2 == 0 { 2 * (i / 5) + 1 } else { 9 }));
            for (name, _, power) in ways() {
                let mut out = [0.0; LANES];
                power(&a, &b, &mut out);
                for i in 0..LANES {
                    let expected: f32 = Lane::pow(a[i], b[i]);
                    assert_eq!(out[i].to_bits(), expected.to_bits(), "{name} {:e} ** {:e}: {:e}", a[i], b[i], out[i]);
                }
            }
        }
    }
}
