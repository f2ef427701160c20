//! Sums of columns on AVX-512: the lanes of neighbouring columns lie in memory, and some rows at a time go through them.

use std::arch::asm;

use super::{CLEAN, INEXACT, LANES, PRODUCT_LEVELS, SUM_LEVELS, Vector};
use crate::exact::fast::{Float, WHOLE, WHOLE_SQUARES, constant};

/// Rows that go through the lanes at a time: each lane is loaded and stored once for all of them, and memory is read in few long
/// runs.
const TOGETHER: usize = 4;
/// How far ahead of the columns at work a long row is asked for, in bytes.
const AHEAD: usize = 2048;

/// Where rows start, and what is to be asked for when they are read; how many rows; how many groups of columns; the lanes of
/// groups, by level; MXCSR before, at the start, and of the kernel.
type Down = unsafe fn(&Places, usize, usize, *mut Line, &mut [u32; 3]);

/// Lanes in memory, one in each line of the cache.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Line(Vector);

/// Where rows start, and where memory that is read later lies.
#[repr(C)]
struct Places {
    rows: [*const u8; TOGETHER],
    ahead: [*const u8; TOGETHER],
}

/// A kernel: `$text` for each row of each group, whose `$bytes` start at `{a}`.
macro_rules! down {
    ($(#[$doc:meta])* $name:ident, $text:expr, $bytes:literal $($line:literal)*, $([$register:literal $at:literal])*, $lanes:literal) => {
        $(#[$doc])*
        #[target_feature(enable = "avx512f")]
        unsafe fn $name(places: &Places, rows: usize, groups: usize, lanes: *mut Line, csr: &mut [u32; 3]) {
            // SAFETY: the caller's promise: the elements that are read, and the lanes. `places` has two tables.
            unsafe {
                asm!(
                    "stmxcsr [{csr}]",
                    "ldmxcsr [{csr} + 4]",
                    "vpbroadcastq zmm31, {one}",
                    "xor {at:e}, {at:e}",
                    "3:",
                    $(concat!("vmovapd ", $register, ", [{lanes} + ", $at, "]"),)*
                    "mov {place}, {places}",
                    "mov {n}, {rows}",
                    "2:",
                    "mov {a}, [{place} + {ahead}]",
                    $(concat!("prefetcht0 [{a} + {at} + ", $line, "]"),)*
                    "mov {a}, [{place}]",
                    "add {a}, {at}",
                    $text,
                    "add {place}, 8",
                    "dec {n}",
                    "jnz 2b",
                    $(concat!("vmovapd [{lanes} + ", $at, "], ", $register),)*
                    concat!("add {lanes}, ", $lanes),
                    concat!("add {at}, ", $bytes),
                    "dec {groups}",
                    "jnz 3b",
                    "stmxcsr [{csr} + 8]",
                    "ldmxcsr [{csr}]",
                    places = in(reg) places, rows = in(reg) rows, groups = inout(reg) groups => _, lanes = inout(reg) lanes => _,
                    csr = in(reg) csr.as_mut_ptr(), one = in(reg) 1f64.to_bits(), ahead = const 8 * TOGETHER,
                    a = out(reg) _, place = out(reg) _, n = out(reg) _, at = out(reg) _,
                    out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _, out("zmm6") _,
                    out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _, out("zmm12") _,
                    out("zmm13") _, out("zmm14") _, out("zmm15") _, out("zmm16") _, out("zmm17") _, out("zmm18") _,
                    out("zmm19") _, out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _, out("zmm30") _, out("zmm31") _,
                    options(nostack)
                );
            }
        }
    };
}

down!(
    /// 32 numbers of a row on one level.
    one_level,
    concat!(
        "vcvtps2pd zmm16, [{a} + 0]\n", rest!("zmm16", "zmm0"),
        "vcvtps2pd zmm17, [{a} + 32]\n", rest!("zmm17", "zmm1"),
        "vcvtps2pd zmm18, [{a} + 64]\n", rest!("zmm18", "zmm2"),
        "vcvtps2pd zmm19, [{a} + 96]\n", rest!("zmm19", "zmm3"),
    ),
    "128" "0" "64", ["zmm0" "0"] ["zmm1" "64"] ["zmm2" "128"] ["zmm3" "192"], "256"
);
down!(
    /// 32 numbers of a row on two levels.
    two_levels_f32,
    concat!(
        "vcvtps2pd zmm16, [{a} + 0]\n", take!("zmm16", "zmm0"), rest!("zmm16", "zmm4"),
        "vcvtps2pd zmm17, [{a} + 32]\n", take!("zmm17", "zmm1"), rest!("zmm17", "zmm5"),
        "vcvtps2pd zmm18, [{a} + 64]\n", take!("zmm18", "zmm2"), rest!("zmm18", "zmm6"),
        "vcvtps2pd zmm19, [{a} + 96]\n", take!("zmm19", "zmm3"), rest!("zmm19", "zmm7"),
    ),
    "128" "0" "64", ["zmm0" "0"] ["zmm1" "64"] ["zmm2" "128"] ["zmm3" "192"] ["zmm4" "256"] ["zmm5" "320"] ["zmm6" "384"]
    ["zmm7" "448"], "512"
);
down!(
    /// The same of binary64.
    two_levels_f64,
    concat!(
        "vmovupd zmm16, [{a} + 0]\n", take!("zmm16", "zmm0"), rest!("zmm16", "zmm4"),
        "vmovupd zmm17, [{a} + 64]\n", take!("zmm17", "zmm1"), rest!("zmm17", "zmm5"),
        "vmovupd zmm18, [{a} + 128]\n", take!("zmm18", "zmm2"), rest!("zmm18", "zmm6"),
        "vmovupd zmm19, [{a} + 192]\n", take!("zmm19", "zmm3"), rest!("zmm19", "zmm7"),
    ),
    "256" "0" "64" "128" "192", ["zmm0" "0"] ["zmm1" "64"] ["zmm2" "128"] ["zmm3" "192"] ["zmm4" "256"] ["zmm5" "320"]
    ["zmm6" "384"] ["zmm7" "448"], "512"
);
down!(
    /// 16 of them on three.
    three_levels,
    concat!(
        "vmovupd zmm16, [{a}]\n", "vmovupd zmm17, [{a} + 64]\n",
        take!("zmm16", "zmm0"), take!("zmm16", "zmm2"), rest!("zmm16", "zmm4"),
        take!("zmm17", "zmm1"), take!("zmm17", "zmm3"), rest!("zmm17", "zmm5"),
    ),
    "128" "0" "64", ["zmm0" "0"] ["zmm1" "64"] ["zmm2" "128"] ["zmm3" "192"] ["zmm4" "256"] ["zmm5" "320"], "384"
);
down!(
    /// 16 numbers of a row on seven levels, which hold all of binary32.
    seven_levels,
    concat!(
        "vcvtps2pd zmm16, [{a}]\n", "vcvtps2pd zmm17, [{a} + 32]\n",
        take!("zmm16", "zmm0"), take!("zmm16", "zmm2"), take!("zmm16", "zmm4"), take!("zmm16", "zmm6"), take!("zmm16", "zmm8"),
        take!("zmm16", "zmm10"), rest!("zmm16", "zmm12"),
        take!("zmm17", "zmm1"), take!("zmm17", "zmm3"), take!("zmm17", "zmm5"), take!("zmm17", "zmm7"), take!("zmm17", "zmm9"),
        take!("zmm17", "zmm11"), rest!("zmm17", "zmm13"),
    ),
    "64" "0", ["zmm0" "0"] ["zmm1" "64"] ["zmm2" "128"] ["zmm3" "192"] ["zmm4" "256"] ["zmm5" "320"] ["zmm6" "384"] ["zmm7" "448"]
    ["zmm8" "512"] ["zmm9" "576"] ["zmm10" "640"] ["zmm11" "704"] ["zmm12" "768"] ["zmm13" "832"], "896"
);
down!(
    /// 16 numbers of a row on two levels, and their squares on three.
    moments_f32,
    concat!(
        moments_f32!("0" "zmm16" "zmm18" "zmm0" "zmm2" "zmm4" "zmm6" "zmm8"),
        moments_f32!("32" "zmm17" "zmm19" "zmm1" "zmm3" "zmm5" "zmm7" "zmm9"),
    ),
    "64" "0", ["zmm0" "0"] ["zmm1" "64"] ["zmm2" "128"] ["zmm3" "192"] ["zmm4" "256"] ["zmm5" "320"] ["zmm6" "384"] ["zmm7" "448"]
    ["zmm8" "512"] ["zmm9" "576"], "640"
);
down!(
    /// 16 numbers of a row on two levels, and their squares on four.
    moments_f64,
    concat!(
        moments_f64!("0" "zmm14" "zmm15" "zmm16" "zmm0" "zmm2" "zmm4" "zmm6" "zmm8" "zmm10"),
        moments_f64!("64" "zmm17" "zmm18" "zmm19" "zmm1" "zmm3" "zmm5" "zmm7" "zmm9" "zmm11"),
    ),
    "128" "0" "64", ["zmm0" "0"] ["zmm1" "64"] ["zmm2" "128"] ["zmm3" "192"] ["zmm4" "256"] ["zmm5" "320"] ["zmm6" "384"] ["zmm7" "448"]
    ["zmm8" "512"] ["zmm9" "576"] ["zmm10" "640"] ["zmm11" "704"], "768"
);
down!(
    /// Eight numbers of two rows on seven levels, and their squares on thirteen: all of binary32. One chain of subtractions alone
    /// would have to wait for itself.
    whole_moments,
    concat!(
        "vcvtps2pd zmm20, [{a}]\n", "vmulpd zmm21, zmm20, zmm20\n",
        "add {place}, 8\n", "dec {n}\n", "mov {a}, [{place}]\n", "add {a}, {at}\n",
        "vcvtps2pd zmm22, [{a}]\n", "vmulpd zmm23, zmm22, zmm22\n",
        take!("zmm20", "zmm0"), take!("zmm21", "zmm7"), take!("zmm22", "zmm0"), take!("zmm23", "zmm7"),
        take!("zmm20", "zmm1"), take!("zmm21", "zmm8"), take!("zmm22", "zmm1"), take!("zmm23", "zmm8"),
        take!("zmm20", "zmm2"), take!("zmm21", "zmm9"), take!("zmm22", "zmm2"), take!("zmm23", "zmm9"),
        take!("zmm20", "zmm3"), take!("zmm21", "zmm10"), take!("zmm22", "zmm3"), take!("zmm23", "zmm10"),
        take!("zmm20", "zmm4"), take!("zmm21", "zmm11"), take!("zmm22", "zmm4"), take!("zmm23", "zmm11"),
        take!("zmm20", "zmm5"), take!("zmm21", "zmm12"), take!("zmm22", "zmm5"), take!("zmm23", "zmm12"),
        rest!("zmm20", "zmm6"), take!("zmm21", "zmm13"), rest!("zmm22", "zmm6"), take!("zmm23", "zmm13"),
        take!("zmm21", "zmm14"), take!("zmm23", "zmm14"),
        take!("zmm21", "zmm15"), take!("zmm23", "zmm15"),
        take!("zmm21", "zmm16"), take!("zmm23", "zmm16"),
        take!("zmm21", "zmm17"), take!("zmm23", "zmm17"),
        take!("zmm21", "zmm18"), take!("zmm23", "zmm18"),
        rest!("zmm21", "zmm19"), rest!("zmm23", "zmm19"),
    ),
    "32" "0", ["zmm0" "0"] ["zmm1" "64"] ["zmm2" "128"] ["zmm3" "192"] ["zmm4" "256"] ["zmm5" "320"] ["zmm6" "384"] ["zmm7" "448"]
    ["zmm8" "512"] ["zmm9" "576"] ["zmm10" "640"] ["zmm11" "704"] ["zmm12" "768"] ["zmm13" "832"] ["zmm14" "896"]
    ["zmm15" "960"] ["zmm16" "1024"] ["zmm17" "1088"] ["zmm18" "1152"] ["zmm19" "1216"], "1280"
);

/// Columns that the kernels need at least.
pub(crate) const LEAST_COLUMNS: usize = 4 * LANES;

/// Runs a kernel that has `M` vectors for each of `L` levels, and adds to `moved` by how much the lanes moved, if that is exact.
///
/// # Safety
/// The CPU must have AVX-512 F, and the kernel so many levels and vectors.
unsafe fn down<T: Float, const L: usize, const M: usize>(
    kernel: Down,
    rows: &[&[T]],
    exponents: [i32; L],
    lanes: &mut Vec<Line>,
    mut moved: [&mut [i64]; L],
) -> bool {
    let (width, n) = (moved[0].len(), M * LANES);
    assert!(width >= n && rows.iter().all(|row| row.len() == width) && moved.iter().all(|moved| moved.len() == width));
    let (groups, rest) = (width / n, width % n);
    lanes.clear();
    for _ in 0..groups + usize::from(rest > 0) {
        exponents.iter().for_each(|&k| lanes.extend([Line([constant(k); LANES]); M]));
    }
    let mut csr = [0, CLEAN, CLEAN];
    let long = width * size_of::<T>() >= 4 * AHEAD;
    for (i, some) in rows.chunks(TOGETHER).enumerate() {
        let mut places = Places { rows: [std::ptr::null(); TOGETHER], ahead: [std::ptr::null(); TOGETHER] };
        for (k, row) in some.iter().enumerate() {
            // Ahead in the same row, or the place in the rows to come.
            let next = rows.get((i + 1) * TOGETHER + k).unwrap_or(row).as_ptr().cast();
            places.rows[k] = row.as_ptr().cast();
            places.ahead[k] = if long { row.as_ptr().cast::<u8>().wrapping_add(AHEAD) } else { next };
        }
        // SAFETY: the caller's promise; rows have so many groups, and there are lanes for them.
        unsafe { kernel(&places, some.len(), groups, lanes.as_mut_ptr(), &mut csr) };
        let mut seen = csr[2];
        if rest > 0 {
            // The last columns in a group of their own, with some that were taken before.
            places.rows.iter_mut().for_each(|row| *row = row.wrapping_add((width - n) * size_of::<T>()));
            // SAFETY: as above.
            unsafe { kernel(&places, some.len(), 1, lanes.as_mut_ptr().add(groups * L * M), &mut csr) };
            seen |= csr[2];
        }
        if seen & INEXACT != 0 {
            return false;
        }
    }
    let mut strayed = 0;
    for lanes in lanes.chunks_exact(L * M) {
        for (lanes, k) in lanes.chunks_exact(M).zip(exponents) {
            let start = constant(k).to_bits();
            lanes.iter().flat_map(|line| line.0).for_each(|lane| strayed |= lane.to_bits() ^ start);
        }
    }
    if strayed >> 52 != 0 {
        return false;
    }
    for (group, lanes) in lanes.chunks_exact(L * M).enumerate() {
        for ((lanes, k), moved) in lanes.chunks_exact(M).zip(exponents).zip(&mut moved) {
            let start = constant(k).to_bits();
            let by = |lane: f64| lane.to_bits().wrapping_sub(start) as i64;
            if group < groups {
                let (moved, _) = moved[group * n..].as_chunks_mut::<LANES>();
                for (moved, lanes) in moved.iter_mut().zip(lanes) {
                    moved.iter_mut().zip(lanes.0).for_each(|(moved, lane)| *moved = moved.wrapping_add(by(lane)));
                }
            } else {
                let lanes = lanes.iter().flat_map(|line| line.0).skip(n - rest);
                moved[group * n..].iter_mut().zip(lanes).for_each(|(moved, lane)| *moved = moved.wrapping_add(by(lane)));
            }
        }
    }
    true
}

/// The slices of one level each.
fn levels<const L: usize>(moved: &mut [i64], width: usize) -> [&mut [i64]; L] {
    let mut levels = moved.chunks_exact_mut(width);
    std::array::from_fn(|_| levels.next().unwrap_or_default())
}

/// Adds rows (at most 256, at least [`LEAST_COLUMNS`] wide) to columns of sums on each level's grid, those of one level after the
/// other, if that is exact. The answer is whether it is.
///
/// # Safety
/// The CPU must have AVX-512 F.
pub(crate) unsafe fn sum_columns<T: Float, const L: usize>(
    rows: &[&[T]],
    exponents: [i32; L],
    lanes: &mut Vec<Line>,
    moved: &mut [i64],
) -> bool {
    let width = rows[0].len();
    let (kernel, vectors): (Down, _) = match (T::NARROW, L) {
        (true, 1) => (one_level, 4),
        (true, 2) => (two_levels_f32, 4),
        (true, WHOLE) => (seven_levels, 2),
        (false, 2) => (two_levels_f64, 4),
        (false, 3) => (three_levels, 2),
        _ => return false,
    };
    let moved = levels(moved, width);
    // SAFETY: the caller's promise; each kernel has so many levels on so many vectors.
    unsafe {
        if vectors == 4 {
            down::<T, L, 4>(kernel, rows, exponents, lanes, moved)
        } else {
            down::<T, L, 2>(kernel, rows, exponents, lanes, moved)
        }
    }
}

/// Two arrays as one.
fn both<T: Default, const A: usize, const B: usize, const L: usize>(a: [T; A], b: [T; B]) -> [T; L] {
    const { assert!(A + B == L) };
    let mut both = a.into_iter().chain(b);
    std::array::from_fn(|_| both.next().unwrap_or_default())
}

/// Adds rows to columns of sums, and their squares to columns of sums of squares (of binary32 numbers on the first three levels),
/// as [`sum_columns`] does.
///
/// # Safety
/// The CPU must have AVX-512 F.
pub(crate) unsafe fn moment_columns<T: Float>(
    rows: &[&[T]],
    sums: ([i32; SUM_LEVELS], &mut [i64]),
    squares: ([i32; PRODUCT_LEVELS], &mut [i64]),
    lanes: &mut Vec<Line>,
) -> bool {
    let width = rows[0].len();
    let moved = levels::<SUM_LEVELS>(sums.1, width);
    // SAFETY: the caller's promise; each kernel has so many levels on two vectors.
    unsafe {
        if T::NARROW {
            let [a, b, c, _] = squares.0;
            let (exponents, moved) = (both(sums.0, [a, b, c]), both(moved, levels::<3>(squares.1, width)));
            down::<T, 5, 2>(moments_f32, rows, exponents, lanes, moved)
        } else {
            let moved = both(moved, levels::<PRODUCT_LEVELS>(squares.1, width));
            down::<T, 6, 2>(moments_f64, rows, both(sums.0, squares.0), lanes, moved)
        }
    }
}

/// The same of binary32 numbers on levels that hold all of them.
///
/// # Safety
/// The CPU must have AVX-512 F.
pub(crate) unsafe fn whole_moment_columns(
    rows: &[&[f32]],
    sums: ([i32; WHOLE], &mut [i64]),
    squares: ([i32; WHOLE_SQUARES], &mut [i64]),
    lanes: &mut Vec<Line>,
) -> bool {
    let width = rows[0].len();
    let moved = both(levels::<WHOLE>(sums.1, width), levels::<WHOLE_SQUARES>(squares.1, width));
    // The kernel takes pairs of rows.
    let zeros = vec![0.0; width];
    let odd: Vec<&[f32]>;
    let rows = if rows.len().is_multiple_of(2) {
        rows
    } else {
        odd = rows.iter().copied().chain([&zeros[..]]).collect();
        &odd
    };
    // SAFETY: the caller's promise; the kernel has so many levels on one vector, and gets an even number of rows.
    unsafe { down::<f32, 20, 1>(whole_moments, rows, both(sums.0, squares.0), lanes, moved) }
}

#[cfg(test)]
mod tests {
    use super::super::super::ExactDot;
    use super::super::super::tests::bits;
    use super::*;
    use crate::cpu::simd::Simd;
    use crate::exact::fast::exponents;

    /// What columns moved by, on the grids of some levels.
    fn total<const L: usize>(moved: &[i64], exponents: [i32; L], column: usize) -> ExactDot {
        let (mut total, width) = (ExactDot::new(), moved.len() / L);
        let levels = moved.iter().skip(column).step_by(width).zip(exponents);
        levels.for_each(|(&moved, k)| total.add_scaled(i128::from(moved), k - 52));
        total
    }

    /// The sums of the first powers of a column, and of the second ones.
    fn expected<T: Float>(rows: &[&[T]], column: usize) -> [ExactDot; 2] {
        let (mut sums, mut squares) = (ExactDot::new(), ExactDot::new());
        for x in rows.iter().map(|row| row[column].widen()) {
            sums.push(x, 1.0);
            squares.push(x, x);
        }
        [sums, squares]
    }

    /// Checks the kernels of a type on levels below `top`, and of squares below `reach`.
    fn check<T: Float, const L: usize>(rows: &[&[T]], (top, reach): (i32, i32)) {
        let (width, mut lanes) = (rows[0].len(), vec![]);
        let mut moved = vec![1; L * width];
        let (mut sums, mut squares) = (vec![0; 2 * width], vec![0; 4 * width]);
        let (mut whole, mut whole_squares) = (vec![0; WHOLE * width], vec![0; WHOLE_SQUARES * width]);
        let narrow: Vec<&[f32]> = rows.iter().filter_map(|row| T::narrow(row)).collect();
        // SAFETY: the caller found AVX-512.
        unsafe {
            assert!(sum_columns::<T, L>(rows, exponents(top), &mut lanes, &mut moved));
            moved.iter_mut().for_each(|moved| *moved -= 1);
            assert!(moment_columns(rows, (exponents(top), &mut sums), (exponents(reach), &mut squares), &mut lanes));
            if T::NARROW {
                let (numbers, more) = ((exponents(127), &mut whole[..]), (exponents(255), &mut whole_squares[..]));
                assert!(whole_moment_columns(&narrow, numbers, more, &mut lanes));
            }
        }
        for column in 0..width {
            let [numbers, more] = expected(rows, column);
            assert_eq!(total::<L>(&moved, exponents(top), column), numbers, "{L} levels, column {column} of {width}");
            assert_eq!(total::<2>(&sums, exponents(top), column), numbers);
            assert_eq!(total::<4>(&squares, exponents(reach), column), more, "column {column} of {width}, {} rows", rows.len());
            if T::NARROW {
                assert_eq!(total::<WHOLE>(&whole, exponents(127), column), numbers);
                assert_eq!(total::<WHOLE_SQUARES>(&whole_squares, exponents(255), column), more);
            }
        }
    }

    #[test]
    fn columns_are_exact_or_left_alone() {
        if !Simd::available().contains(&Simd::Avx512) {
            return;
        }
        let mut state = 5;
        for (width, height) in [(32, 1), (33, 8), (47, 9), (64, 256), (100, 255), (1100, 33)] {
            let wide: Vec<f64> =
                (0..width * height).map(|_| (bits(&mut state) as i64 >> 3 | 1) as f64 * 2f64.powi(-60)).collect();
            let narrow: Vec<f32> =
                (0..width * height).map(|_| ((bits(&mut state) as i64 >> 40) | 1) as f32 * 2f32.powi(-24)).collect();
            let any = |_| f32::from_bits(bits(&mut state) as u32 & !(1 << 23));
            let any: Vec<f32> = (0..width * height).map(any).collect();
            let rows: Vec<&[f64]> = wide.chunks_exact(width).collect();
            check::<f64, 2>(&rows, (1, 2));
            check::<f64, 3>(&rows, (1, 2));
            let rows: Vec<&[f32]> = narrow.chunks_exact(width).collect();
            check::<f32, 1>(&rows, (0, 1));
            check::<f32, 2>(&rows, (0, 1));
            check::<f32, WHOLE>(&rows, (0, 1));
            let rows: Vec<&[f32]> = any.chunks_exact(width).collect();
            let (mut sums, mut squares, mut lanes) = (vec![0; WHOLE * width], vec![0; WHOLE_SQUARES * width], vec![]);
            // SAFETY: AVX-512 is there.
            unsafe {
                let (numbers, more) = ((exponents(127), &mut sums[..]), (exponents(255), &mut squares[..]));
                assert!(whole_moment_columns(&rows, numbers, more, &mut lanes));
            }
            for column in 0..width {
                let found =
                    [total(&sums, exponents::<WHOLE>(127), column), total(&squares, exponents::<WHOLE_SQUARES>(255), column)];
                assert_eq!(found, expected(&rows, column));
            }
            // Too fine for the levels, too large for the first one, or not finite: nothing moves.
            for wrong in [2f64.powi(-100), f64::MAX, f64::INFINITY, f64::NAN] {
                let mut values = wide.clone();
                let last = values.len() - 1;
                values[last] = wrong;
                let rows: Vec<&[f64]> = values.chunks_exact(width).collect();
                let (mut sums, mut squares) = (vec![0; 2 * width], vec![0; 4 * width]);
                // SAFETY: as above.
                unsafe {
                    assert!(!sum_columns::<f64, 2>(&rows, exponents(1), &mut lanes, &mut sums), "{wrong}");
                    let squares = (exponents(2), &mut squares[..]);
                    assert!(!moment_columns(&rows, (exponents(1), &mut sums), squares, &mut lanes), "{wrong}");
                }
                assert!(sums.iter().chain(&squares).all(|&moved| moved == 0));
            }
            let mut values = any.clone();
            values[width - 1] = f32::NEG_INFINITY;
            let rows: Vec<&[f32]> = values.chunks_exact(width).collect();
            // SAFETY: as above.
            unsafe {
                assert!(!sum_columns::<f32, WHOLE>(&rows, exponents(127), &mut lanes, &mut sums));
                let (numbers, more) = ((exponents(127), &mut sums[..]), (exponents(255), &mut squares[..]));
                assert!(!whole_moment_columns(&rows, numbers, more, &mut lanes));
            }
        }
    }
}
