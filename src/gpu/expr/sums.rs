//! The slots into which workgroups sum what they compute, exactly (`shaders/parts/expr_sums.wgsl`).

use std::sync::Arc;

use crate::gpu::context::Context;
use crate::gpu::memory::Block;
use crate::{ExactSum, Result};

/// Digits of a sum, and of a sum and one of squares.
pub(super) const SUM: u32 = 15;
pub(super) const SUM_AND_SQUARES: u32 = 43;
/// Bits of a digit.
const BITS: i32 = 23;
/// Numbers that an invocation takes at most: loops stay far below 32,768 rounds.
const MOST: u64 = 8192;
/// Numbers that one should take at least, as the digits that it begins and ends with cost as much as some.
const LEAST: u64 = 16;

/// Slots in the device's memory, all zero at first.
pub(super) struct Slots {
    pub(super) block: Block,
    digits: u32,
    /// Workgroups at most, and invocations of each.
    groups: u64,
    size: u64,
}

impl Slots {
    pub(super) fn new(context: &Arc<Context>, digits: u32, size: u64) -> Result<Self> {
        // Enough to keep the device busy.
        let groups: u64 = if context.caps.software { 16 } else { 2048 };
        let bytes = groups * u64::from(digits + 1) * 4;
        let block = context.block(bytes)?;
        context.clear(&block, bytes)?;
        Ok(Self { block, digits, groups, size })
    }

    /// Bytes of workgroup memory that the shaders take.
    pub(super) fn workgroup_bytes(&self) -> u32 {
        self.digits * self.size as u32 * 4 + 16
    }

    /// Numbers of a dispatch at most.
    pub(super) fn most(&self) -> u64 {
        self.groups * self.size * MOST
    }

    /// Workgroups for so many numbers.
    pub(super) fn groups(&self, numbers: u64) -> [u32; 3] {
        [numbers.div_ceil(self.size * LEAST).clamp(1, self.groups) as u32, 1, 1]
    }

    /// The sum and the sum of squares of all slots, to which `count` numbers were added.
    pub(super) fn read(&self, context: &Arc<Context>, count: u64) -> Result<[ExactSum; 2]> {
        let mut all = [ExactSum::new(), ExactSum::new()];
        if count == 0 {
            return Ok(all);
        }
        let (digits, words) = (self.digits as usize, self.digits as usize + 1);
        let bytes = context.read_small(&self.block, self.groups * words as u64 * 4)?;
        let (mut sums, mut flags) = (vec![0i64; digits], 0);
        for slot in bytes.chunks_exact(4 * words) {
            let (slot, _) = slot.as_chunks::<4>();
            for (sum, &digit) in sums.iter_mut().zip(slot) {
                *sum += i64::from(i32::from_le_bytes(digit));
            }
            flags |= u32::from_le_bytes(slot[digits]);
        }
        let (first, rest) = sums.split_at(SUM as usize);
        for ((sum, digits), least) in all.iter_mut().zip([first, rest]).zip([-149, -298]) {
            for (place, &digit) in digits.iter().enumerate().filter(|&(_, &digit)| digit != 0) {
                sum.add_scaled(digit.into(), least + BITS * place as i32);
            }
        }
        let [sum, squares] = &mut all;
        sum.add_zero(flags & 8 == 0);
        squares.add_zero(false);
        for (flag, value) in [(1, f64::INFINITY), (2, f64::NEG_INFINITY), (4, f64::NAN)] {
            if flags & flag != 0 {
                sum.push(value);
                squares.push(value * value);
            }
        }
        Ok(all)
    }
}
