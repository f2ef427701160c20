//! Columns side by side in the lanes. Instead of the flag, a fused multiply-add says what an integer lacks: memory takes the time.

use std::arch::x86_64::*;

use super::{HALF, Sums, grid};
use crate::cpu::simd::prefetch;
use crate::exact::fast::exponent;

/// Rows of one call at most: so many products fit the lanes.
pub(crate) const HEIGHT: usize = 1024;
/// Columns that are added at once.
pub(crate) const GROUP: usize = 8;
/// Rows that go through the lanes at a time.
const TOGETHER: usize = 4;

/// The sums of eight columns.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C, align(64))]
pub(crate) struct Columns {
    sum: [i64; GROUP],
    upper: [i64; GROUP],
    mixed: [i64; GROUP],
    lower: [i64; GROUP],
}

impl Columns {
    /// The sums of one of the columns, in units of `2^-grid` and of its square.
    fn sums(&self, column: usize) -> Sums {
        let [upper, mixed, lower] = [&self.upper, &self.mixed, &self.lower].map(|lanes| i128::from(lanes[column]));
        Sums { sum: self.sum[column], squares: (upper << (2 * HALF)) + (mixed << (HALF + 1)) + lower }
    }
}

/// The sums of whole groups of columns of at most [`HEIGHT`] rows, whose numbers are below `2^(top + 1)`, and of their squares,
/// if all are multiples of `2^-grid(top)`. Otherwise the answer is the exponent of the largest magnitude.
///
/// # Safety
/// The CPU must have AVX2 and FMA.
pub(crate) unsafe fn sums_of_columns(
    rows: &[&[f32]],
    top: i32,
    lanes: &mut Vec<Columns>,
    each: &mut dyn FnMut(usize, i64, i128),
) -> Result<(), i32> {
    let groups = rows[0].len() / GROUP;
    assert!(rows.len() <= HEIGHT && rows.iter().all(|row| row.len() / GROUP == groups));
    lanes.clear();
    lanes.resize(groups, Columns::default());
    // SAFETY: the caller's promise; rows have so many groups.
    let (whole, largest) = unsafe { add(rows, f64::from_bits(((grid(top) + 1023) as u64) << 52), lanes) };
    let largest = exponent(f64::from(f32::from_bits(largest)));
    if !whole || largest > top {
        return Err(largest);
    }
    for (group, lanes) in lanes.iter().enumerate() {
        for column in 0..GROUP {
            let Sums { sum, squares } = lanes.sums(column);
            each(group * GROUP + column, sum, squares);
        }
    }
    Ok(())
}

/// Adds the rows' groups to the lanes. The answer is whether all numbers were integers of the grid, and the bits of the largest magnitude.
///
/// # Safety
/// The CPU must have AVX2 and FMA, and every row as many groups as there are lanes.
#[target_feature(enable = "avx2,fma")]
unsafe fn add(rows: &[&[f32]], scale: f64, lanes: &mut [Columns]) -> (bool, u32) {
    let (mut left, mut largest) = (_mm256_setzero_pd(), _mm256_setzero_si256());
    for (first, some) in (0..).step_by(TOGETHER).zip(rows.chunks(TOGETHER)) {
        let place = |i: usize| rows[i].as_ptr();
        let ahead: [*const f32; TOGETHER] = std::array::from_fn(|k| place((first + TOGETHER + k).min(rows.len() - 1)));
        // SAFETY: the caller's promise.
        unsafe {
            match some.len() {
                TOGETHER => add_some::<TOGETHER>(
                    std::array::from_fn(|k| place(first + k)),
                    ahead,
                    scale,
                    lanes,
                    (&mut left, &mut largest),
                ),
                _ => (first..first + some.len())
                    .for_each(|i| add_some::<1>([place(i)], ahead, scale, lanes, (&mut left, &mut largest))),
            }
        }
    }
    let mut magnitudes = [0u32; 8];
    // SAFETY: the vector's size.
    unsafe { _mm256_storeu_si256(magnitudes.as_mut_ptr().cast(), largest) };
    let zero = _mm256_cmp_pd::<_CMP_EQ_OQ>(left, _mm256_setzero_pd());
    (_mm256_movemask_pd(zero) == 0xf, magnitudes.into_iter().max().unwrap_or(0))
}

/// `R` rows.
///
/// # Safety
/// As [`add`].
#[target_feature(enable = "avx2,fma")]
#[inline]
unsafe fn add_some<const R: usize>(
    rows: [*const f32; R],
    ahead: [*const f32; TOGETHER],
    scale: f64,
    lanes: &mut [Columns],
    (left, largest): (&mut __m256d, &mut __m256i),
) {
    let (scale, integers) = (_mm256_set1_pd(scale), _mm256_set1_pd(1.5 * (1u64 << 52) as f64));
    let (low, magnitude) = (_mm256_set1_epi64x((1 << HALF) - 1), _mm256_set1_epi32(i32::MAX));
    for (group, lanes) in lanes.iter_mut().enumerate() {
        let at = group * GROUP;
        // Once per line.
        if R == TOGETHER && group % 2 == 0 {
            for row in ahead {
                prefetch(row.wrapping_add(at));
            }
        }
        for half in 0..2 {
            // SAFETY: the caller's promise; half of the lanes are a vector.
            unsafe {
                // One by one: a closure might stay a call, with all vectors in memory.
                let place = std::ptr::from_mut(lanes).cast::<__m256i>().add(half);
                let (to_upper, to_mixed, to_lower) = (place.add(2), place.add(4), place.add(6));
                let (mut sum, mut upper) = (_mm256_load_si256(place), _mm256_load_si256(to_upper));
                let (mut mixed, mut lower) = (_mm256_load_si256(to_mixed), _mm256_load_si256(to_lower));
                for row in rows {
                    let narrow = _mm_loadu_ps(row.add(at + 4 * half));
                    let x = _mm256_cvtps_pd(narrow);
                    let shifted = _mm256_fmadd_pd(x, scale, integers);
                    let lacks = _mm256_fmsub_pd(x, scale, _mm256_sub_pd(shifted, integers));
                    *left = _mm256_or_pd(*left, lacks);
                    let bits = _mm256_and_si256(_mm256_castps_si256(_mm256_castps128_ps256(narrow)), magnitude);
                    *largest = _mm256_max_epu32(*largest, _mm256_zextsi128_si256(_mm256_castsi256_si128(bits)));
                    let n = _mm256_sub_epi64(_mm256_castpd_si256(shifted), _mm256_castpd_si256(integers));
                    let (a, b) = (_mm256_srli_epi64::<{ HALF as i32 }>(n), _mm256_and_si256(n, low));
                    sum = _mm256_add_epi64(sum, n);
                    upper = _mm256_add_epi64(upper, _mm256_mul_epi32(a, a));
                    mixed = _mm256_add_epi64(mixed, _mm256_mul_epi32(a, b));
                    lower = _mm256_add_epi64(lower, _mm256_mul_epi32(b, b));
                }
                _mm256_store_si256(place, sum);
                _mm256_store_si256(to_upper, upper);
                _mm256_store_si256(to_mixed, mixed);
                _mm256_store_si256(to_lower, lower);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::bits;
    use super::super::tests::number;
    use super::*;

    #[test]
    fn an_answer_is_exact_and_none_is_given_otherwise() {
        if !(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")) {
            return;
        }
        let mut state = 37;
        for (height, width) in [(1, 8), (3, 9), (4, 16), (5, 31), (8, 64), (HEIGHT - 1, 8), (HEIGHT, 24)] {
            for top in [0, 127, -100, -149] {
                // Multiples of the unit, of all sizes, or as large as can be.
                let unit = 2f64.powi(-grid(top));
                for range in [27, 1] {
                    let mut values: Vec<f32> = (0..height * width).map(|_| number(bits(&mut state), top, range)).collect();
                    if range == 1 {
                        let first = values[0];
                        values.fill(if top == 127 { f32::MIN } else { first });
                    }
                    let rows: Vec<&[f32]> = values.chunks_exact(width).collect();
                    let (mut found, mut lanes) = (vec![], vec![]);
                    // SAFETY: the instructions are there.
                    let answer = unsafe {
                        sums_of_columns(&rows, top, &mut lanes, &mut |column, sum, squares| found.push((column, sum, squares)))
                    };
                    let integers = |column: usize| rows.iter().map(move |row| (f64::from(row[column]) / unit) as i128);
                    let expected: Vec<_> = (0..width / GROUP * GROUP)
                        .map(|i| (i, integers(i).sum::<i128>() as i64, integers(i).map(|n| n * n).sum::<i128>()))
                        .collect();
                    assert_eq!((answer, found), (Ok(()), expected), "{height} by {width}, {top}");
                }
            }
            for wrong in [2f32.powi(-51), 1.1 * 2f32.powi(-30), 2.0, -f32::MAX, f32::INFINITY, f32::NEG_INFINITY, f32::NAN] {
                let mut values = vec![1f32; height * width];
                values[height / 2 * width + 5] = wrong;
                let rows: Vec<&[f32]> = values.chunks_exact(width).collect();
                // SAFETY: as above.
                let answer = unsafe { sums_of_columns(&rows, 0, &mut vec![], &mut |_, _, _| panic!("{wrong}")) };
                let largest = if wrong.is_nan() { 1024 } else { exponent(f64::from(wrong.abs().max(1.0))) };
                assert_eq!(answer, Err(largest), "{height} by {width}, {wrong:e}");
            }
        }
    }
}
