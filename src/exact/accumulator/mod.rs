//! An exact sum in the making: which extraction blocks of elements get, and what their sums are added to.

#[cfg(target_arch = "x86_64")]
mod at_once;

use super::fast::*;
use super::prefix::Prefix;
#[cfg(target_arch = "x86_64")]
use super::sticky;
#[cfg(target_arch = "x86_64")]
use super::windows::Fields;
use super::windows::Windows;
use super::{ExactSum, LEAST, NEGATIVE_ZEROS, NOTHING, OTHERS};
use crate::cpu::simd::Simd;

/// Blocks between two attempts to get by with fewer levels.
pub(super) const PATIENCE: u32 = 16;

/// An exact sum in the making: what fits a 128-bit window costs nothing more; the rest spills.
#[derive(Debug, Clone)]
pub(crate) struct Accumulator {
    value: i128,
    exponent: i32,
    kind: u8,
    /// The levels tried first: 1 to 3 (which may stand for more), or more than that for the windows.
    levels: u8,
    /// Blocks until fewer levels are tried.
    patience: u32,
    /// The exponent of the largest element expected.
    top: i32,
    /// Blocks until numbers are cut in halves again, and how many could not be, one after the other.
    #[cfg(target_arch = "x86_64")]
    halves: [u32; 2],
    /// Blocks of products until they are tried at once again.
    #[cfg(target_arch = "x86_64")]
    pause: u32,
    /// The exponent of the largest product expected.
    #[cfg(target_arch = "x86_64")]
    reach: i32,
    spill: Option<Box<ExactSum>>,
    windows: Option<Box<Windows>>,
    #[cfg(target_arch = "x86_64")]
    fields: Option<Box<Fields>>,
}

impl Accumulator {
    pub(crate) fn new() -> Self {
        Self {
            value: 0,
            exponent: 0,
            kind: NOTHING,
            levels: 1,
            patience: 0,
            top: i32::MIN,
            #[cfg(target_arch = "x86_64")]
            halves: [0; 2],
            #[cfg(target_arch = "x86_64")]
            pause: 0,
            #[cfg(target_arch = "x86_64")]
            reach: i32::MIN,
            spill: None,
            windows: None,
            #[cfg(target_arch = "x86_64")]
            fields: None,
        }
    }

    /// The sum of nothing, with what was learnt about the elements so far.
    pub(crate) fn next(&self) -> Self {
        Self {
            value: 0,
            exponent: 0,
            kind: NOTHING,
            spill: None,
            windows: None,
            #[cfg(target_arch = "x86_64")]
            fields: None,
            ..*self
        }
    }

    /// Adds the numbers of a slice.
    pub(crate) fn extend<T: Float>(&mut self, values: &[T], simd: Simd) {
        self.extend_open(values, simd);
        self.close();
    }

    /// Adds the numbers of a slice, one of many that together are [`close`](Self::close)d: at most 2^31 elements.
    pub(crate) fn extend_open<T: Float>(&mut self, values: &[T], simd: Simd) {
        self.add_all::<T, false>(values, simd);
    }

    /// Adds the squares of the numbers of a slice, which are exact as binary64.
    pub(crate) fn extend_squares(&mut self, values: &[f32], simd: Simd) {
        self.add_all::<f32, true>(values, simd);
        self.close();
    }

    fn add_all<T: Float, const SQUARE: bool>(&mut self, values: &[T], simd: Simd) {
        if values.len() < 16 {
            values.iter().for_each(|&value| self.push(number::<T, SQUARE>(value)));
            return;
        }
        for block in values.chunks(block::<T, SQUARE>(simd)) {
            if self.spill.as_ref().is_some_and(|sum| sum.is_nan()) {
                return;
            }
            if self.patience == 0 {
                self.levels = if T::NARROW && !SQUARE { 1 } else { 2 };
            }
            self.patience = self.patience.saturating_sub(1);
            if self.top == i32::MIN {
                self.top = exponent(number::<T, SQUARE>(block[0])).min(MAX_TOP);
            }
            let more = |sum: &mut Self| {
                #[cfg(target_arch = "x86_64")]
                if T::NARROW && !SQUARE && simd == Simd::Avx2 {
                    // Each exponent by itself takes less.
                    return false;
                }
                if T::NARROW && !SQUARE {
                    // So many hold all of binary32.
                    sum.extract::<T, WHOLE, SQUARE>(block, simd)
                } else {
                    sum.extract::<T, 3, SQUARE>(block, simd)
                }
            };
            let done = (self.levels <= 1 && self.extract::<T, 1, SQUARE>(block, simd))
                || (self.levels <= 2 && self.extract::<T, 2, SQUARE>(block, simd))
                || (self.levels <= 3 && more(self));
            if !done {
                self.scatter::<T, SQUARE>(block, simd);
            }
        }
    }

    /// Adds the sum times `2^shift` to a sum of products.
    pub(crate) fn add_to(&self, dot: &mut super::ExactDot, shift: i32) {
        if let Some(spill) = &self.spill {
            dot.add_sum(spill, shift);
        }
        dot.add_scaled(self.value, self.exponent + shift);
    }

    /// Adds a block with `L` levels, if they suffice.
    fn extract<T: Float, const L: usize, const SQUARE: bool>(&mut self, block: &[T], simd: Simd) -> bool {
        #[cfg(target_arch = "x86_64")]
        if simd == Simd::Avx2 && !SQUARE && L == 2 - usize::from(T::NARROW) && self.at_once(block, simd) {
            return true;
        }
        for _ in 0..2 {
            let exponents = exponents::<L>(self.top);
            #[cfg(target_arch = "x86_64")]
            if simd == Simd::Avx512 && !SQUARE && sticky::has::<T>(L) {
                // SAFETY: the level says that the instructions are there.
                if let Some(sums) = unsafe { sticky::sum(block, exponents) } {
                    self.settle::<T, SQUARE>(block, sums.iter().any(|&sum| sum != 0), sums, exponents);
                    return true;
                }
                let top = exponent(simd.run(Largest(block)));
                if self.retry(top, L) {
                    continue;
                }
                return false;
            }
            let found = simd.run(Extract::<T, L, SQUARE> { values: block, exponents });
            let top = exponent(found.largest);
            if found.complete && top <= self.top {
                self.settle::<T, SQUARE>(block, found.largest > 0.0, found.sums, exponents);
                return true;
            }
            if !self.retry(top, L) {
                return false;
            }
        }
        // More levels from here on, for a while.
        (self.levels, self.patience) = (L as u8 + 1, PATIENCE);
        false
    }

    /// Whether a block whose largest element has this exponent, and that failed on so many levels, is worth another attempt.
    fn retry(&mut self, top: i32, levels: usize) -> bool {
        let again = top <= MAX_TOP && top != self.top;
        if again {
            self.top = top;
        } else {
            // More levels from here on, for a while.
            let patience = if levels == 1 { PATIENCE / 4 } else { PATIENCE };
            (self.levels, self.patience) = (if top > MAX_TOP { 4 } else { levels as u8 + 1 }, patience);
        }
        again
    }

    /// Adds the sums of a block, some element of which may be known not to be zero.
    fn settle<T: Float, const SQUARE: bool>(
        &mut self,
        block: &[T],
        nonzero: bool,
        sums: impl IntoIterator<Item = i64>,
        exponents: impl IntoIterator<Item = i32>,
    ) {
        if nonzero {
            self.kind = OTHERS;
        } else {
            self.note_all::<T, SQUARE>(block);
        }
        for (sum, k) in sums.into_iter().zip(exponents) {
            self.add(i128::from(sum), k - 52);
        }
    }

    /// Adds a block element by element.
    fn scatter<T: Float, const SQUARE: bool>(&mut self, block: &[T], simd: Simd) {
        self.note_all::<T, SQUARE>(block);
        if block.len() < 128 && self.windows.is_none() {
            return block.iter().for_each(|&value| self.push(number::<T, SQUARE>(value)));
        }
        #[cfg(target_arch = "x86_64")]
        if let (Some(values), true) = (T::narrow(block), !SQUARE && simd == Simd::Avx2) {
            return self.add_fields(values, simd);
        }
        let windows = self.windows.get_or_insert_with(Windows::spare);
        let special = windows.extend::<T, SQUARE>(block, simd);
        if special {
            let spill = self.spill.get_or_insert_default();
            block
                .iter()
                .map(|&value| number::<T, SQUARE>(value))
                .filter(|value| !value.is_finite())
                .for_each(|value| spill.push(value));
        }
    }

    /// Adds numbers of binary32 by exponent.
    #[cfg(target_arch = "x86_64")]
    fn add_fields(&mut self, mut values: &[f32], simd: Simd) {
        let mut fields = self.fields.take().unwrap_or_else(Fields::spare);
        while !values.is_empty() {
            if fields.room(1) == 0 {
                fields.empty(self.spill.get_or_insert_default(), None);
            }
            // SAFETY: the level has them.
            let mut done = unsafe { fields.extend(values, simd) };
            if done == 0 {
                done = values.len().min(256);
                values[..done].iter().for_each(|&value| self.push(value.into()));
            }
            values = &values[done..];
        }
        self.fields = Some(fields);
    }

    /// Notes numbers that go another way, and gives the windows for numbers of any exponents.
    pub(super) fn windows<T: Float>(&mut self, values: &[T]) -> &mut Windows {
        self.note_all::<T, false>(values);
        self.windows.get_or_insert_with(Windows::spare)
    }

    /// Whether the exponents of the last numbers were too far apart for levels.
    pub(super) fn is_spread(&self) -> bool {
        self.levels > 3 && self.patience > 0
    }

    /// Notes numbers that go another way, and gives a sum for what becomes of them.
    pub(super) fn spill_of<T: Float>(&mut self, values: &[T]) -> &mut ExactSum {
        self.note_all::<T, false>(values);
        self.spill()
    }

    /// The sum of what went another way, whose elements were [`note`](Self::note)d.
    pub(crate) fn spill(&mut self) -> &mut ExactSum {
        self.spill.get_or_insert_default()
    }

    /// Notes what numbers there are.
    fn note_all<T: Float, const SQUARE: bool>(&mut self, values: &[T]) {
        if self.kind != OTHERS && !values.is_empty() {
            self.note(values.iter().all(|&x| number::<T, SQUARE>(x).to_bits() == 1 << 63));
        }
    }

    /// Ends a row of slices: moves the windows' contents into the sum.
    pub(crate) fn close(&mut self) {
        if let Some(mut windows) = self.windows.take() {
            windows.empty(self.spill.get_or_insert_default());
            windows.keep();
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(mut fields) = self.fields.take() {
            fields.empty(self.spill.get_or_insert_default(), None);
            fields.keep();
        }
    }

    /// Adds one number.
    pub(crate) fn push(&mut self, value: f64) {
        let bits = value.to_bits();
        let (field, fraction) = ((bits >> 52) as i32 & 0x7ff, bits & ((1 << 52) - 1));
        if field == 0x7ff {
            self.kind = OTHERS;
            return self.spill.get_or_insert_default().push(value);
        }
        self.kind = if bits == 1 << 63 { self.kind.max(NEGATIVE_ZEROS) } else { OTHERS };
        let significand = (fraction | u64::from(field != 0) << 52) as i64;
        self.add(i128::from(if value < 0.0 { -significand } else { significand }), LEAST + field.max(1) - 1);
    }

    /// Adds `value · 2^exponent`, whose elements were accounted for in `kind`.
    pub(crate) fn add(&mut self, value: i128, exponent: i32) {
        if value == 0 {
            return;
        }
        if self.value == 0 {
            (self.value, self.exponent) = (value, exponent);
            return;
        }
        let fits = |value: i128, shift: i32| shift < 126 && value.unsigned_abs().leading_zeros() as i32 > shift + 2;
        let shift = exponent - self.exponent;
        if shift >= 0 && fits(value, shift) && fits(self.value, 0) {
            self.value += value << shift;
        } else if shift < 0 && fits(self.value, -shift) && fits(value, 0) {
            self.value = (self.value << -shift) + value;
            self.exponent = exponent;
        } else {
            let spill = self.spill.get_or_insert_default();
            spill.add_scaled(self.value, self.exponent);
            (self.value, self.exponent) = (value, exponent);
        }
    }

    /// Notes what elements were added by [`add`](Self::add): some, and whether all of them were −0.
    pub(crate) fn note(&mut self, negative_zeros: bool) {
        self.kind = self.kind.max(if negative_zeros { NEGATIVE_ZEROS } else { OTHERS });
    }

    /// Whether the elements so far are known not to be −0 alone.
    pub(crate) fn has_others(&self) -> bool {
        self.kind == OTHERS
    }

    /// Adds another sum.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.kind = self.kind.max(other.kind);
        self.add(other.value, other.exponent);
        if let Some(theirs) = &other.spill {
            self.spill.get_or_insert_default().merge(theirs);
        }
    }

    /// Adds a running sum.
    pub(crate) fn merge_prefix(&mut self, prefix: &Prefix) {
        let (value, exponent, kind, wide) = prefix.parts();
        self.kind = self.kind.max(kind);
        self.add(value, exponent);
        if let Some(wide) = wide {
            self.kind = OTHERS;
            self.spill.get_or_insert_default().merge(wide);
        }
    }

    /// The sum as `value · 2^exponent`, if it is that simple (and no zero, which may be signed).
    pub(super) fn window(&self) -> Option<(i128, i32)> {
        (self.spill.is_none() && self.value != 0).then_some((self.value, self.exponent))
    }

    /// A running sum that goes on from here.
    pub(crate) fn prefix(&self) -> Prefix {
        match self.spill {
            None => Prefix::new(self.value, self.exponent, self.kind, None),
            Some(_) => Prefix::new(0, 0, OTHERS, Some(Box::new(self.to_sum()))),
        }
    }

    /// The sum as a mergeable value.
    pub(crate) fn to_sum(&self) -> ExactSum {
        let mut sum = self.spill.as_deref().cloned().unwrap_or_default();
        if self.kind != NOTHING {
            sum.add_zero(self.kind == NEGATIVE_ZEROS);
        }
        if self.value != 0 {
            sum.add_scaled(self.value, self.exponent);
        }
        sum
    }
}
