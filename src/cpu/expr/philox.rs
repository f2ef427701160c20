//! Philox blocks on vectors of 64-bit lanes: a product of two words per lane and instruction.

use super::LANES;
use super::functions::Level;
use super::words::{Avx2, Avx512, Words};
use crate::philox::{MULTIPLIERS, ROUNDS};

type Keys = [[u32; 2]; ROUNDS];
type Out = [[u32; LANES]; 4];

/// The words of `count` blocks, a multiple of 128, word by word; see `samples.rs`.
pub(super) fn words(keys: &Keys, first: u64, upper: [u32; 2], count: usize, out: &mut Out, level: Level) {
    debug_assert!(count.is_multiple_of(128) && count <= LANES);
    match level {
        // SAFETY: the level's features were found on this CPU.
        Level::Avx2 => unsafe { words_avx2(keys, first, upper, count, out) },
        // SAFETY: as above.
        Level::Avx512 | Level::Ifma => unsafe { words_avx512(keys, first, upper, count, out) },
    }
}

#[target_feature(enable = "avx2,fma")]
fn words_avx2(keys: &Keys, first: u64, upper: [u32; 2], count: usize, out: &mut Out) {
    blocks::<Avx2, 2>(keys, first, upper, count, out);
}

/// Eight vectors and rounds written out, near what the vector units can do. Behind each word of a round is a fence that is no
/// instruction: without it, the compiler finishes one vector after the other, and the processor cannot look far enough
/// ahead to overlap them.
///
/// All counters have one upper half, so that half of the first two rounds is the same for all blocks; and of the last round's
/// products the halves that are wanted are picked out of two vectors at once.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
fn words_avx512(keys: &Keys, first: u64, upper: [u32; 2], count: usize, out: &mut Out) {
    use std::arch::x86_64::*;
    const N: usize = 8;
    if u64::from(first as u32) + count as u64 > 1 << 32 {
        return blocks::<Avx512<false>, 4>(keys, first, upper, count, out);
    }
    let splat = |value: u64| _mm512_set1_epi64(value as i64);
    let [m0, m1] = MULTIPLIERS.map(u64::from);
    // In memory, from which instructions take them at no cost; the compiler would rather move them there from elsewhere.
    let wide = std::hint::black_box(keys.map(|keys| keys.map(u64::from)));
    let ahead: [u64; N + 1] = std::hint::black_box(std::array::from_fn(|i| 8 * i as u64 * m0));
    let product = u64::from(upper[0]) * m1;
    let same = (u64::from(keys[0][0]) ^ product >> 32 ^ first >> 32) * m0;
    let fourth = splat(wide[0][1] ^ u64::from(upper[1]));
    let (third, second) = (splat(wide[1][0] ^ product), splat(wide[1][1] ^ same >> 32));
    let ascending = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    let odd = _mm512_or_si512(even, _mm512_set1_epi32(1));
    let mut p = _mm512_mul_epu32(_mm512_add_epi64(splat(first), ascending), splat(m0));
    let (m0, m1) = (splat(m0), splat(m1));
    for start in (0..count).step_by(8 * N) {
        let [mut a, mut b, mut c, mut d] = [[splat(same); N]; 4];
        for i in 0..N {
            let p0 = _mm512_add_epi64(p, splat(ahead[i]));
            b[i] = _mm512_mul_epu32(_mm512_xor_si512(fourth, _mm512_srli_epi64::<32>(p0)), m1);
            a[i] = _mm512_xor_si512(third, _mm512_srli_epi64::<32>(b[i]));
            c[i] = _mm512_xor_si512(second, p0);
        }
        p = _mm512_add_epi64(p, splat(ahead[N]));
        macro_rules! rounds {
            ($($round:literal)*) => {$(
                let (k0, k1) = (splat(wide[$round][0]), splat(wide[$round][1]));
                for i in 0..N {
                    let (p0, p1) = (_mm512_mul_epu32(a[i], m0), _mm512_mul_epu32(c[i], m1));
                    a[i] = _mm512_ternarylogic_epi64::<0x96>(_mm512_srli_epi64::<32>(p1), b[i], k0);
                    c[i] = _mm512_ternarylogic_epi64::<0x96>(_mm512_srli_epi64::<32>(p0), d[i], k1);
                    (b[i], d[i]) = (p1, p0);
                    // SAFETY: a comment of the assembler.
                    unsafe {
                        std::arch::asm!("/* {0} {1} */", inlateout(zmm_reg) a[i], inlateout(zmm_reg) c[i],
                            options(nomem, nostack, preserves_flags));
                    }
                }
            )*};
        }
        rounds!(2 3 4 5 6 7 8);
        let (k0, k1) = (_mm512_set1_epi32(keys[9][0] as i32), _mm512_set1_epi32(keys[9][1] as i32));
        for i in 0..N / 2 {
            // Nothing here hangs on the inliner: no closure, and no function of arrays.
            let (i, j) = (2 * i, 2 * i + 1);
            let (p, q) = (_mm512_mul_epu32(a[i], m0), _mm512_mul_epu32(a[j], m0));
            let (r, s) = (_mm512_mul_epu32(c[i], m1), _mm512_mul_epu32(c[j], m1));
            let (b, d) = (_mm512_permutex2var_epi32(b[i], even, b[j]), _mm512_permutex2var_epi32(d[i], even, d[j]));
            macro_rules! store {
                ($word:literal: $words:expr) => {
                    let out = &mut out[$word][start + 8 * i..][..16];
                    // SAFETY: 16 words.
                    unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), $words) };
                };
            }
            store!(0: _mm512_ternarylogic_epi32::<0x96>(_mm512_permutex2var_epi32(r, odd, s), b, k0));
            store!(1: _mm512_permutex2var_epi32(r, even, s));
            store!(2: _mm512_ternarylogic_epi32::<0x96>(_mm512_permutex2var_epi32(p, odd, q), d, k1));
            store!(3: _mm512_permutex2var_epi32(p, even, q));
        }
    }
}

/// `N` vectors, an even number, are in flight at a time, to cover the latency of the products.
#[inline(always)]
fn blocks<V: Words, const N: usize>(keys: &Keys, first: u64, upper: [u32; 2], count: usize, out: &mut Out) {
    let (m0, m1) = (V::splat(MULTIPLIERS[0].into()), V::splat(MULTIPLIERS[1].into()));
    let keys: [[V; 2]; ROUNDS] = keys.map(|keys| keys.map(|key| V::splat(key.into())));
    // The third word is the same for all, and so is its product.
    let product = u64::from(upper[0]) * u64::from(MULTIPLIERS[1]);
    let (third, second) = (keys[0][0].xor(V::splat(product >> 32)), V::splat(product));
    let fourth = keys[0][1].xor(V::splat(upper[1].into()));
    for start in (0..count).step_by(N * V::LANES) {
        let [mut a, mut b, mut c, mut d] = [[V::splat(0); N]; 4];
        for i in 0..N {
            let counter = V::splat(first.wrapping_add((start + i * V::LANES) as u64)).add(V::ascending());
            let p0 = counter.mul(m0);
            (a[i], b[i]) = (third.xor(counter.shr::<32>()), second);
            (c[i], d[i]) = (fourth.xor(p0.shr::<32>()), p0);
        }
        // Only the low half of each lane matters.
        for [k0, k1] in &keys[1..] {
            for i in 0..N {
                let (p0, p1) = (a[i].mul(m0), c[i].mul(m1));
                (a[i], b[i]) = (p1.shr::<32>().xor3(b[i], *k0), p1);
                (c[i], d[i]) = (p0.shr::<32>().xor3(d[i], *k1), p0);
            }
        }
        for (out, words) in out.iter_mut().zip([a, b, c, d]) {
            for i in (0..N).step_by(2) {
                let out = &mut out[start + i * V::LANES..][..2 * V::LANES];
                // SAFETY: as many words as two vectors have lanes.
                unsafe { words[i].store_low(words[i + 1], out.as_mut_ptr()) };
            }
        }
    }
}
