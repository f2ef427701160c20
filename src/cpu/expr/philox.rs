//! Philox blocks on vectors of 64-bit lanes: a product of two words per lane and instruction.

use super::LANES;
use super::functions::Level;
use super::words::{Avx2, Avx512, Words};
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

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
fn words_avx512(keys: &Keys, first: u64, group: u32, count: usize, out: &mut Out) {
    blocks::<Avx512<false>, 4>(keys, first, group, count, out);
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
