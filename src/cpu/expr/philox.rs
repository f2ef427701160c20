//! Philox blocks on vectors of 64-bit lanes: a product of two words per lane and instruction.

use super::LANES;
use super::functions::Level;
use super::words::{Avx2, Words};
use crate::philox::{MULTIPLIERS, ROUNDS};

type Keys = [[u32; 2]; ROUNDS];
type Out = [[u32; LANES]; 4];

/// The words of `count` blocks, a multiple of 128, word by word; see `samples.rs`.
pub(super) fn words(keys: &Keys, first: u64, group: u32, count: usize, out: &mut Out, level: Level) {
    debug_assert!(count.is_multiple_of(128) && count <= LANES);
    match level {
        // SAFETY: the level's features were found on this CPU.
        Level::Avx2 => unsafe { words_avx2(keys, first, group, count, out) },
        // SAFETY: as above.
        Level::Avx512 | Level::Ifma => unsafe { words_avx512(keys, first, group, count, out) },
    }
}

#[target_feature(enable = "avx2,fma")]
fn words_avx2(keys: &Keys, first: u64, group: u32, count: usize, out: &mut Out) {
    blocks::<Avx2, 2>(keys, first, group, count, out);
}

/// Eight vectors and rounds written out, at 88 % of what four vector units can do. Behind each word of a round is a fence that is no
/// instruction: without it, the compiler finishes one vector after the other, and the processor cannot look far enough
/// ahead to overlap them.
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
fn words_avx512(keys: &Keys, first: u64, group: u32, count: usize, out: &mut Out) {
    use std::arch::x86_64::*;
    const N: usize = 8;
    let splat = |value: u64| _mm512_set1_epi64(value as i64);
    let (m0, m1) = (splat(MULTIPLIERS[0].into()), splat(MULTIPLIERS[1].into()));
    let product = u64::from(group) * u64::from(MULTIPLIERS[1]);
    let (third, second) = (splat(u64::from(keys[0][0]) ^ product >> 32), splat(product));
    let fourth = splat(u64::from(keys[0][1]) ^ 1);
    let ascending = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
    let even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    for start in (0..count).step_by(8 * N) {
        let [mut a, mut b, mut c, mut d] = [[second; N]; 4];
        for i in 0..N {
            let counter = _mm512_add_epi64(splat(first.wrapping_add((start + 8 * i) as u64)), ascending);
            d[i] = _mm512_mul_epu32(counter, m0);
            a[i] = _mm512_xor_si512(third, _mm512_srli_epi64::<32>(counter));
            c[i] = _mm512_xor_si512(fourth, _mm512_srli_epi64::<32>(d[i]));
        }
        macro_rules! rounds {
            ($($round:literal)*) => {$(
                let (k0, k1) = (splat(keys[$round][0].into()), splat(keys[$round][1].into()));
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
        rounds!(1 2 3 4 5 6 7 8 9);
        for (out, words) in out.iter_mut().zip([a, b, c, d]) {
            for (i, out) in out[start..start + 8 * N].as_chunks_mut::<16>().0.iter_mut().enumerate() {
                let words = _mm512_permutex2var_epi32(words[2 * i], even, words[2 * i + 1]);
                // SAFETY: 16 words.
                unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), words) };
            }
        }
    }
}

/// `N` vectors, an even number, are in flight at a time, to cover the latency of the products.
#[inline(always)]
fn blocks<V: Words, const N: usize>(keys: &Keys, first: u64, group: u32, count: usize, out: &mut Out) {
    let (m0, m1) = (V::splat(MULTIPLIERS[0].into()), V::splat(MULTIPLIERS[1].into()));
    let keys: [[V; 2]; ROUNDS] = keys.map(|keys| keys.map(|key| V::splat(key.into())));
    // The third word is the same for all, and so is its product.
    let product = u64::from(group) * u64::from(MULTIPLIERS[1]);
    let (third, second) = (keys[0][0].xor(V::splat(product >> 32)), V::splat(product));
    let fourth = keys[0][1].xor(V::splat(1));
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
