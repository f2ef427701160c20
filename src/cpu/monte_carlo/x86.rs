//! Vectors of 64-bit lanes for the operations that Philox and the circle need, and the counting loops of each level.

use std::arch::x86_64::*;

use super::{GROUP, ROUNDS};
use crate::Philox4x32;
use crate::philox::MULTIPLIERS;

/// A vector of 64-bit lanes. The methods compile to the instructions they name only inside a function that enables the
/// features of the type; calling them elsewhere is sound on a CPU that has the features.
trait Lanes: Copy {
    /// Lanes: the blocks that one vector holds.
    const BLOCKS: u64;

    /// The same value in all lanes.
    fn splat(value: u64) -> Self;
    /// `start`, `start + 1`, …
    fn ascending(start: u64) -> Self;
    /// The sum.
    fn add(self, other: Self) -> Self;
    /// The product of the low halves, 32 by 32 bits to 64.
    fn mul(self, other: Self) -> Self;
    /// Exclusive or.
    fn xor(self, other: Self) -> Self;
    /// Exclusive or of three.
    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        self.xor(b).xor(c)
    }
    /// The high half in the low half; what is above is of no matter.
    fn high(self) -> Self;
    /// The low half in the high half, zero below.
    fn shift_up(self) -> Self;
    /// Adds 1 to each half of `misses` whose half of `self`, read as a point, lies outside the circle.
    fn add_misses(self, misses: Self) -> Self;
    /// The sum of all halves.
    fn sum_halves(self) -> u64;
}

/// A word is a miss if `2^30 - 1 - x(x+1) - y(y+1)` is negative. The bits of `!x` are those of `-1 - x`, so a dot
/// product of a word's halves with those of its complement gives `-x(x+1) - y(y+1)`; nothing overflows.
const OFFSET: i32 = (1 << 30) - 1;

/// Four lanes.
#[derive(Clone, Copy)]
struct Avx2(__m256i);
/// Eight lanes; `VNNI` adds the dot product to a sum in one instruction.
#[derive(Clone, Copy)]
struct Avx512<const VNNI: bool>(__m512i);

// SAFETY of all blocks below: the types are private to this module and made only inside the `count_*` functions,
// whose callers have found the features on the CPU.
impl Lanes for Avx2 {
    const BLOCKS: u64 = 4;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_set1_epi64x(value as i64) })
    }
    #[inline(always)]
    fn ascending(start: u64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_epi64(_mm256_set1_epi64x(start as i64), _mm256_set_epi64x(3, 2, 1, 0)) })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_epi64(self.0, other.0) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_mul_epu32(self.0, other.0) })
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_xor_si256(self.0, other.0) })
    }
    #[inline(always)]
    fn high(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_srli_epi64::<32>(self.0) })
    }
    #[inline(always)]
    fn shift_up(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_slli_epi64::<32>(self.0) })
    }
    #[inline(always)]
    fn add_misses(self, misses: Self) -> Self {
        // SAFETY: see above.
        unsafe {
            let complement = _mm256_xor_si256(self.0, _mm256_set1_epi32(-1));
            let room = _mm256_add_epi32(_mm256_set1_epi32(OFFSET), _mm256_madd_epi16(self.0, complement));
            Self(_mm256_add_epi32(misses.0, _mm256_srli_epi32::<31>(room)))
        }
    }
    #[inline(always)]
    fn sum_halves(self) -> u64 {
        let mut halves = [0u32; 8];
        // SAFETY: see above; the store is unaligned and as large as the array.
        unsafe { _mm256_storeu_si256(halves.as_mut_ptr().cast(), self.0) };
        halves.iter().map(|&half| half as u64).sum()
    }
}

impl<const VNNI: bool> Lanes for Avx512<VNNI> {
    const BLOCKS: u64 = 8;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_epi64(value as i64) })
    }
    #[inline(always)]
    fn ascending(start: u64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_epi64(_mm512_set1_epi64(start as i64), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0)) })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_epi64(self.0, other.0) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mul_epu32(self.0, other.0) })
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_xor_si512(self.0, other.0) })
    }
    #[inline(always)]
    fn xor3(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_ternarylogic_epi64::<0x96>(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn high(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_srli_epi64::<32>(self.0) })
    }
    #[inline(always)]
    fn shift_up(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_slli_epi64::<32>(self.0) })
    }
    #[inline(always)]
    fn add_misses(self, misses: Self) -> Self {
        // SAFETY: see above; `VNNI` is true only in `count_avx512_vnni`.
        unsafe {
            let complement = _mm512_xor_si512(self.0, _mm512_set1_epi32(-1));
            let offset = _mm512_set1_epi32(OFFSET);
            let room = if VNNI {
                _mm512_dpwssd_epi32(offset, self.0, complement)
            } else {
                _mm512_add_epi32(offset, _mm512_madd_epi16(self.0, complement))
            };
            Self(_mm512_add_epi32(misses.0, _mm512_srli_epi32::<31>(room)))
        }
    }
    #[inline(always)]
    fn sum_halves(self) -> u64 {
        let mut halves = [0u32; 16];
        // SAFETY: see above; the store is unaligned and as large as the array.
        unsafe { _mm512_storeu_si512(halves.as_mut_ptr().cast(), self.0) };
        halves.iter().map(|&half| half as u64).sum()
    }
}

/// [`count`] of `groups` groups with AVX2.
#[target_feature(enable = "avx2")]
pub(super) fn count_avx2(philox: &Philox4x32, first: u64, groups: u64) -> u64 {
    count::<Avx2, 2>(philox, first, groups * (GROUP / 8))
}

/// [`count`] of `groups` groups with AVX-512.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(super) fn count_avx512(philox: &Philox4x32, first: u64, groups: u64) -> u64 {
    count::<Avx512<false>, 4>(philox, first, groups * (GROUP / 32))
}

/// [`count`] of `groups` groups with AVX-512 and its dot products.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
pub(super) fn count_avx512_vnni(philox: &Philox4x32, first: u64, groups: u64) -> u64 {
    count::<Avx512<true>, 4>(philox, first, groups * (GROUP / 32))
}

/// The hits among `steps · N · V::BLOCKS` blocks from `first` on, which share their high word. `N` vectors are in flight
/// at a time, to cover the latency of the products.
#[inline(always)]
fn count<V: Lanes, const N: usize>(philox: &Philox4x32, first: u64, steps: u64) -> u64 {
    let keys = philox.round_keys();
    let high = (first >> 32) as u32;
    let (m0, m1) = (V::splat(MULTIPLIERS[0] as u64), V::splat(MULTIPLIERS[1] as u64));
    // Round 1 of counter (block, high, 0, 0) gives (high ^ k0, 0, hi(block · m0) ^ k1, lo(block · m0)); so the product of
    // the first word in round 2 is the same for all blocks.
    let constant = (high ^ keys[0][0]) as u64 * MULTIPLIERS[0] as u64;
    let key_1_1 = V::splat((constant >> 32) as u32 as u64 ^ keys[1][1] as u64);
    let fourth = V::splat(constant & 0xffff_ffff);
    let (key_0_1, key_1_0) = (V::splat(keys[0][1] as u64), V::splat(keys[1][0] as u64));
    let middle: [[V; 2]; ROUNDS - 3] = std::array::from_fn(|r| keys[r + 2].map(|key| V::splat(key as u64)));
    let last = keys[ROUNDS - 1].map(|key| V::splat((key as u64) << 32));

    let blocks = |i: usize| V::ascending(first as u32 as u64 + i as u64 * V::BLOCKS);
    let mut first_products: [V; N] = std::array::from_fn(|i| blocks(i).mul(m0));
    let step = V::splat((N as u64 * V::BLOCKS) * MULTIPLIERS[0] as u64);
    let mut misses = [V::splat(0); N];
    for _ in 0..steps {
        let [mut a, mut b, mut c, mut d] = [[V::splat(0); N]; 4];
        for i in 0..N {
            let product = first_products[i];
            b[i] = product.high().xor(key_0_1).mul(m1);
            a[i] = b[i].high().xor(key_1_0);
            (c[i], d[i]) = (product.xor(key_1_1), fourth);
            first_products[i] = product.add(step);
        }
        // Only the low half of each lane matters, until the last round.
        for [k0, k1] in middle {
            for i in 0..N {
                let (p0, p1) = (a[i].mul(m0), c[i].mul(m1));
                (a[i], b[i]) = (p1.high().xor3(b[i], k0), p1);
                (c[i], d[i]) = (p0.high().xor3(d[i], k1), p0);
            }
        }
        // The last round leaves two words in each lane: the low half of a product, and above it its high half mixed.
        for i in 0..N {
            let (p0, p1) = (a[i].mul(m0), c[i].mul(m1));
            let words = [p1.xor3(b[i].shift_up(), last[0]), p0.xor3(d[i].shift_up(), last[1])];
            for word in words {
                misses[i] = word.add_misses(misses[i]);
            }
        }
    }
    let missed: u64 = misses.into_iter().map(V::sum_halves).sum();
    4 * steps * N as u64 * V::BLOCKS - missed
}
