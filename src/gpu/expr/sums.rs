//! The slots into which workgroups sum what they compute, exactly (`shaders/parts/expr_sums.wgsl`), or put its extremes
//! (`shaders/expr_extremes.wgsl`).

use std::sync::Arc;

use super::source::Fate;
use crate::gpu::context::Context;
use crate::gpu::memory::Block;
use crate::{ExactSum, Result};

/// Digits of a sum, and of a sum and one of squares.
pub(super) const SUM: u32 = 15;
pub(super) const SUM_AND_SQUARES: u32 = 43;
/// Words of a slot of extremes.
const EXTREMES: u32 = 5;
/// Bits of a digit.
const BITS: i32 = 23;
/// Numbers that an invocation takes at most: loops stay far below 32,768 rounds.
const MOST: u64 = 8192;
/// Numbers that one should take at least, as the digits that it begins and ends with cost as much as some.
const LEAST: u64 = 16;

/// Slots in the device's memory, all zero at first.
pub(super) struct Slots {
    pub(super) block: Block,
    /// Words of each.
    words: u32,
    /// Workgroups at most, and invocations of each.
    groups: u64,
    size: u64,
}

impl Slots {
    /// Those for a map's results, if they need any.
    pub(super) fn new(context: &Arc<Context>, fate: Fate, size: u64) -> Result<Option<Self>> {
        Ok(match fate {
            Fate::Written => None,
            Fate::Summed { squares, .. } => Some(Self::with_digits(context, if squares { SUM_AND_SQUARES } else { SUM }, size)?),
            Fate::Compared { .. } => Some(Self::of(context, EXTREMES, size)?),
        })
    }

    /// Those for sums of so many digits; flags lie behind.
    pub(super) fn with_digits(context: &Arc<Context>, digits: u32, size: u64) -> Result<Self> {
        Self::of(context, digits + 1, size)
    }

    fn of(context: &Arc<Context>, words: u32, size: u64) -> Result<Self> {
        // Enough to keep the device busy.
        let groups: u64 = if context.caps.software { 16 } else { 2048 };
        let groups = groups.min(context.share(4) / (4 * u64::from(words))).max(1);
        let block = context.block(groups * u64::from(words) * 4)?;
        let slots = Self { block, words, groups, size };
        slots.clear(context)?;
        Ok(slots)
    }

    fn bytes(&self) -> u64 {
        self.groups * u64::from(self.words) * 4
    }

    /// Makes all words 0.
    pub(super) fn clear(&self, context: &Arc<Context>) -> Result<()> {
        context.clear(&self.block, self.bytes())
    }

    /// Bytes of workgroup memory that the shaders take.
    pub(super) fn workgroup_bytes(&self) -> u32 {
        self.words * self.size as u32 * 4 + 16
    }

    /// The words of all slots of extremes.
    pub(super) fn words(&self, context: &Arc<Context>) -> Result<Vec<[u32; EXTREMES as usize]>> {
        let bytes = context.read_small(&self.block, self.bytes())?;
        let words: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(|&word| u32::from_le_bytes(word)).collect();
        Ok(words.as_chunks().0.to_vec())
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
        let (digits, words) = (self.words as usize - 1, self.words as usize);
        let bytes = context.read_small(&self.block, self.bytes())?;
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
