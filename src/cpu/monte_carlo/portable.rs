//! Lanes in portable Rust: loops over arrays, which compilers turn into the vectors that the target has.

use std::array::from_fn;

use super::count::{Lanes, OFFSET};

/// Eight lanes.
#[derive(Clone, Copy)]
pub(super) struct Portable([u64; 8]);

const LOW: u64 = 0xffff_ffff;

impl Portable {
    #[inline(always)]
    fn each(self, of: impl Fn(u64) -> u64) -> Self {
        Self(self.0.map(of))
    }
    #[inline(always)]
    fn with(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self(from_fn(|i| of(self.0[i], other.0[i])))
    }
    #[inline(always)]
    fn halves(self, other: Self, of: impl Fn(u32, u32) -> u32) -> Self {
        self.with(other, |a, b| u64::from(of(a as u32, b as u32)) | u64::from(of((a >> 32) as u32, (b >> 32) as u32)) << 32)
    }
}

impl Lanes for Portable {
    const BLOCKS: u64 = 8;

    #[inline(always)]
    fn splat(value: u64) -> Self {
        Self([value; 8])
    }
    #[inline(always)]
    fn ascending(start: u64) -> Self {
        Self(from_fn(|i| start + i as u64))
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        self.with(other, u64::wrapping_add)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self.with(other, u64::wrapping_sub)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        self.with(other, |a, b| (a & LOW) * (b & LOW))
    }
    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self.with(other, |a, b| a & b)
    }
    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self.with(other, |a, b| a ^ b)
    }
    #[inline(always)]
    fn high(self) -> Self {
        self.each(|a| a >> 32)
    }
    #[inline(always)]
    fn shift_up(self) -> Self {
        self.each(|a| a << 32)
    }
    #[inline(always)]
    fn add_misses(self, misses: Self) -> Self {
        self.halves(misses, |word, misses| {
            let (x, y) = (i32::from(word as i16), word as i32 >> 16);
            misses + ((OFFSET - x * (x + 1) - y * (y + 1)) as u32 >> 31)
        })
    }
    #[inline(always)]
    fn sum_halves(self) -> u64 {
        self.0.iter().map(|lane| (lane & LOW) + (lane >> 32)).sum()
    }
    #[inline(always)]
    fn sum(self) -> u64 {
        self.0.iter().sum()
    }
    #[inline(always)]
    fn fit(self, other: Self) -> Self {
        self.with(other, |a, b| u64::from(b <= !a).wrapping_neg())
    }
    #[inline(always)]
    fn add_halves(self, other: Self) -> Self {
        self.halves(other, u32::wrapping_add)
    }
    #[inline(always)]
    fn sub_halves(self, other: Self) -> Self {
        self.halves(other, u32::wrapping_sub)
    }
    #[inline(always)]
    fn mul_halves(self, other: Self) -> Self {
        self.halves(other, u32::wrapping_mul)
    }
    #[inline(always)]
    fn fit_halves(self, other: Self) -> Self {
        self.halves(other, |a, b| u32::from(b <= !a).wrapping_neg())
    }
    #[inline(always)]
    fn shl_halves<const BITS: i32>(self) -> Self {
        self.halves(self, |a, _| a << BITS)
    }
    #[inline(always)]
    fn shr_halves<const BITS: i32>(self) -> Self {
        self.halves(self, |a, _| a >> BITS)
    }
}
