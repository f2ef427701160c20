//! Normal and exponential numbers of binary32 with AVX-512, sixteen at a time: the integers of `src/random/quantile.rs`.
//!
//! The rows of the eight most probable octaves, 255 of 256 numbers, are 64 numbers a column, which two permutations of two vectors
//! look up. The other numbers go one by one.

use std::arch::x86_64::*;

use crate::fork::Raced;
use crate::plan::Draw;
use crate::random::Quantile;

/// Rows that are looked up.
const ROWS: usize = 64;

/// The columns of those rows: the constant term (low word first) and six coefficients.
type Columns = [[u32; ROWS]; 8];

fn columns(quantile: Quantile) -> &'static Columns {
    static COLUMNS: Raced<[Columns; 2]> = Raced::new();
    let columns = COLUMNS.get(|| {
        [Quantile::Normal, Quantile::Exponential].map(|quantile| {
            let rows = &quantile.table().narrow;
            std::array::from_fn(|column| std::array::from_fn(|row| rows[row][column]))
        })
    });
    &columns[quantile as usize]
}

/// Numbers from a word each, times `power`; those for which there is no row here from `one`. The answer is whether it was done:
/// of normal and exponential numbers, where the CPU can.
pub(super) fn draw(draw: Draw, words: &[u32], out: &mut [f32], power: f32, one: impl Fn(u32) -> f32) -> bool {
    if !is_x86_feature_detected!("avx512cd") {
        return false;
    }
    match draw {
        // SAFETY: the caller's level is AVX-512, and CD was just found.
        Draw::Normal { mean, scale, .. } => unsafe {
            numbers::<true>(columns(Quantile::Normal), mean, scale, words, out, power, one);
        },
        // SAFETY: as above.
        Draw::Exponential { scale, .. } => unsafe {
            numbers::<false>(columns(Quantile::Exponential), 0, scale, words, out, power, one);
        },
        _ => return false,
    }
    true
}

#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl")]
fn numbers<const NORMAL: bool>(
    columns: &Columns,
    mean: i64,
    scale: u64,
    words: &[u32],
    out: &mut [f32],
    power: f32,
    one: impl Fn(u32) -> f32,
) {
    let narrow = |value: u32| _mm512_set1_epi32(value as i32);
    let wide = |value: u64| _mm512_set1_epi64(value as i64);
    let low = wide(0xffff_ffff);
    let interleaved = _mm512_set_epi32(15, 7, 14, 6, 13, 5, 12, 4, 11, 3, 10, 2, 9, 1, 8, 0);
    let (words, last_words) = words[..out.len()].as_chunks::<16>();
    let (numbers, last_numbers) = out.as_chunks_mut::<16>();
    for (words, numbers) in words.iter().zip(numbers) {
        // SAFETY: 16 words.
        let u = unsafe { _mm512_loadu_si512(words.as_ptr().cast()) };
        let v = _mm512_or_si512(if NORMAL { _mm512_slli_epi32::<1>(u) } else { u }, narrow(1));
        let octave = _mm512_lzcnt_epi32(v);
        let m = _mm512_sllv_epi32(v, octave);
        let s = _mm512_xor_si512(_mm512_slli_epi32::<4>(m), narrow(u32::MAX));
        let segment = _mm512_and_si512(_mm512_srli_epi32::<28>(m), narrow(7));
        let row = _mm512_add_epi32(_mm512_slli_epi32::<3>(octave), segment);
        let (upper, rare) = (_mm512_test_epi32_mask(row, narrow(32)), _mm512_cmpgt_epi32_mask(row, narrow(ROWS as u32 - 1)));
        let look = |column: usize| {
            // SAFETY: 16 numbers of the 64 from each of these places on.
            let part = |at: usize| unsafe { _mm512_loadu_si512(columns[column].as_ptr().add(at).cast()) };
            let below = _mm512_permutex2var_epi32(part(0), row, part(16));
            _mm512_mask_blend_epi32(upper, below, _mm512_permutex2var_epi32(part(32), row, part(48)))
        };
        // Even lanes are multiplied in place, odd ones shifted down.
        let odd = |x: __m512i| _mm512_srli_epi64::<32>(x);
        let odd_s = odd(s);
        let mut sum = look(7);
        for column in [6, 5, 4, 3, 2] {
            let above = odd(_mm512_mul_epu32(sum, s));
            let product = _mm512_mask_blend_epi32(0xaaaa, above, _mm512_mul_epu32(odd(sum), odd_s));
            sum = _mm512_add_epi32(look(column), product);
        }
        let (constant, more) = (look(0), look(1));
        let constants = [
            _mm512_mask_blend_epi32(0xaaaa, constant, _mm512_slli_epi64::<32>(more)),
            _mm512_mask_blend_epi32(0xaaaa, odd(constant), more),
        ];
        let products = [_mm512_mul_epu32(sum, s), _mm512_mul_epu32(odd(sum), odd_s)];
        let signs = [_mm512_test_epi64_mask(u, wide(1 << 31)), _mm512_test_epi64_mask(u, wide(1 << 63))];
        let mut halves = [_mm256_setzero_ps(); 2];
        for half in 0..2 {
            let z = _mm512_add_epi64(constants[half], _mm512_srli_epi64::<8>(products[half]));
            // The upper half of the product with the scale.
            let (zh, sl, sh) = (odd(z), wide(scale & 0xffff_ffff), wide(scale >> 32));
            let (lh, hl) = (_mm512_mul_epu32(z, sh), _mm512_mul_epu32(zh, sl));
            let middle = _mm512_add_epi64(odd(_mm512_mul_epu32(z, sl)), _mm512_and_si512(lh, low));
            let middle = _mm512_add_epi64(middle, _mm512_and_si512(hl, low));
            let top = _mm512_add_epi64(_mm512_mul_epu32(zh, sh), odd(middle));
            let z = _mm512_add_epi64(top, _mm512_add_epi64(odd(lh), odd(hl)));
            halves[half] = if NORMAL {
                let z = _mm512_mask_sub_epi64(z, signs[half], wide(0), z);
                _mm512_cvtepi64_ps(_mm512_add_epi64(z, wide(mean as u64)))
            } else {
                _mm512_cvtepu64_ps(z)
            };
        }
        let both = _mm512_insertf32x8::<1>(_mm512_castps256_ps512(halves[0]), halves[1]);
        let all = _mm512_mul_ps(_mm512_permutexvar_ps(interleaved, both), _mm512_set1_ps(power));
        // SAFETY: 16 numbers.
        unsafe { _mm512_storeu_ps(numbers.as_mut_ptr(), all) };
        let mut rare = rare;
        while rare != 0 {
            let lane = rare.trailing_zeros() as usize;
            numbers[lane] = one(words[lane]);
            rare &= rare - 1;
        }
    }
    for (&word, number) in last_words.iter().zip(last_numbers) {
        *number = one(word);
    }
}
