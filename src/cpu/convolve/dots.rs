//! Integers through dot products: two 16-bit or four 8-bit taps per 32-bit lane and instruction (AVX-512 VNNI).
//!
//! A packed row holds, at element `j`, the image's elements `j, j + 1` (as 16 bits each) or `j .. j + 4` (as 8 bits each);
//! the weights of a kernel row are packed alike, two or four at a time. So the blocks of [`block`](super::block) take
//! every second or fourth tap, and each of their multiply-adds is worth two or four. Sums are exact: range analysis has
//! shown that they fit 32 bits.

use super::block::{Blocked, Blocks};
use super::number::Number;
use crate::cpu::simd::Simd;

/// How taps meet weights: which blocks, how many taps at a time, and how a row of elements becomes a row of such taps.
pub(super) struct Feed<C: 'static> {
    /// The blocks.
    pub blocks: &'static Blocks<C>,
    /// Taps that a multiply-add takes.
    pub taps: usize,
    /// Combines each element of a row with those after it; the last ones with zeros.
    ///
    /// # Safety
    /// The row must be good for so many elements; the instruction set of the blocks must be present.
    pub combine: Option<unsafe fn(row: *mut C, n: usize)>,
}

impl<C: Blocked> Feed<C> {
    /// One tap at a time.
    pub(super) fn single(simd: Simd) -> Self {
        Self { blocks: C::blocks(simd), taps: 1, combine: None }
    }
}

/// The values of an operand: the largest magnitude, and whether any is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Values {
    pub magnitude: u128,
    pub negative: bool,
}

impl Values {
    /// Those of both.
    pub(super) fn and(self, other: Self) -> Self {
        Self { magnitude: self.magnitude.max(other.magnitude), negative: self.negative | other.negative }
    }

    /// Whether all values fit an integer of so many bits.
    fn fit(self, bits: u32, signed: bool) -> bool {
        if signed { self.magnitude < 1 << (bits - 1) } else { !self.negative && self.magnitude < 1 << bits }
    }
}

/// Whether [`feed`] could find one for an image of better known values: then it pays to read them.
pub(super) fn possible(simd: Simd, weights: Values) -> bool {
    present(simd) && weights.fit(16, true)
}

/// The feed for dot products for sums that fit 32 bits, if the instructions are present and the operands small enough.
pub(super) fn feed(simd: Simd, image: Values, weights: Values) -> Option<Feed<i32>> {
    if !present(simd) {
        return None;
    }
    #[cfg(target_arch = "x86_64")]
    {
        use super::block::dots;
        let quads = |blocks| Some(Feed { blocks, taps: 4, combine: Some(x86::quads as unsafe fn(*mut i32, usize)) });
        if image.fit(8, false) && weights.fit(8, true) {
            return quads(dots::bytes());
        }
        if image.fit(8, true) && weights.fit(8, false) {
            return quads(dots::signed_bytes());
        }
        if image.fit(16, true) && weights.fit(16, true) {
            return Some(Feed { blocks: dots::pairs(), taps: 2, combine: Some(x86::pairs) });
        }
    }
    let _ = (image, weights, i32::ZERO);
    None
}

/// Whether this CPU has the instructions.
#[cfg(target_arch = "x86_64")]
pub(super) fn present(simd: Simd) -> bool {
    simd == Simd::Avx512 && is_x86_feature_detected!("avx512vnni")
}

/// Whether this CPU has the instructions.
#[cfg(not(target_arch = "x86_64"))]
pub(super) fn present(_: Simd) -> bool {
    false
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    /// Element `j` becomes the elements `j` and `j + 1` in 16 bits each.
    ///
    /// # Safety
    /// See [`Feed::combine`](super::Feed::combine).
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn pairs(row: *mut i32, n: usize) {
        let low = _mm512_set1_epi32(0xffff);
        let mut j = 0;
        // SAFETY: elements up to j + 16 lie below n; those read are written afterwards, in ascending order.
        unsafe {
            while j + 17 <= n {
                let first = _mm512_and_si512(_mm512_loadu_epi32(row.add(j)), low);
                let second = _mm512_slli_epi32::<16>(_mm512_loadu_epi32(row.add(j + 1)));
                _mm512_storeu_epi32(row.add(j), _mm512_or_si512(first, second));
                j += 16;
            }
            while j < n {
                let second = if j + 1 < n { *row.add(j + 1) } else { 0 };
                *row.add(j) = *row.add(j) & 0xffff | second << 16;
                j += 1;
            }
        }
    }

    /// Element `j` becomes the elements `j .. j + 4` in 8 bits each.
    ///
    /// # Safety
    /// See [`Feed::combine`](super::Feed::combine).
    #[target_feature(enable = "avx512f")]
    pub(super) unsafe fn quads(row: *mut i32, n: usize) {
        let low = _mm512_set1_epi32(0xff);
        let mut j = 0;
        // SAFETY: as above, up to j + 18.
        unsafe {
            while j + 19 <= n {
                let [a, b, c, d] = [
                    _mm512_and_si512(_mm512_loadu_epi32(row.add(j)), low),
                    _mm512_and_si512(_mm512_loadu_epi32(row.add(j + 1)), low),
                    _mm512_and_si512(_mm512_loadu_epi32(row.add(j + 2)), low),
                    _mm512_loadu_epi32(row.add(j + 3)),
                ];
                let halves = [_mm512_or_si512(a, _mm512_slli_epi32::<8>(b)), _mm512_or_si512(c, _mm512_slli_epi32::<8>(d))];
                _mm512_storeu_epi32(row.add(j), _mm512_or_si512(halves[0], _mm512_slli_epi32::<16>(halves[1])));
                j += 16;
            }
            while j < n {
                let mut quad = 0;
                for i in 0..(n - j).min(4) {
                    quad |= (*row.add(j + i) & 0xff) << (8 * i);
                }
                *row.add(j) = quad;
                j += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operands_choose_the_way() {
        let values = |magnitude, negative| Values { magnitude, negative };
        let simd = Simd::available().into_iter().next_back().unwrap();
        let taps = |image, weights| feed(simd, image, weights).map_or(1, |feed| feed.taps);
        if !present(simd) {
            return assert_eq!(taps(values(1, false), values(1, false)), 1);
        }
        assert_eq!(taps(values(255, false), values(127, true)), 4);
        assert_eq!(taps(values(127, true), values(255, false)), 4);
        // No byte holds a magnitude of 128 whose sign is not known.
        assert_eq!(taps(values(255, false), values(128, true)), 2);
        assert_eq!(taps(values(200, true), values(255, false)), 2);
        assert_eq!(taps(values(256, false), values(1, false)), 2);
        assert_eq!(taps(values(32767, true), values(32767, true)), 2);
        assert_eq!(taps(values(32768, true), values(1, true)), 1);
        assert!(feed(Simd::Portable, values(1, false), values(1, false)).is_none());
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn rows_are_combined_with_what_follows() {
        if !present(Simd::available().into_iter().next_back().unwrap()) {
            return;
        }
        for n in [0usize, 1, 2, 3, 4, 16, 17, 18, 19, 20, 35, 100] {
            let values: Vec<i32> = (0..n as i32).map(|i| (i * 37 + 11) % 256 - 128).collect();
            let at = |i: usize| values.get(i).copied().unwrap_or(0);
            let (mut pairs, mut quads) = (values.clone(), values.clone());
            // SAFETY: the rows have n elements; the instructions are present.
            unsafe {
                x86::pairs(pairs.as_mut_ptr(), n);
                x86::quads(quads.as_mut_ptr(), n);
            }
            for j in 0..n {
                assert_eq!(pairs[j], i32::from(at(j) as i16) & 0xffff | at(j + 1) << 16, "{n} {j}");
                let bytes = [0, 1, 2, 3].map(|i| at(j + i) as i8 as u8);
                assert_eq!(quads[j], i32::from_le_bytes(bytes), "{n} {j}");
            }
        }
    }
}
