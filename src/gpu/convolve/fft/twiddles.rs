//! Twiddle factors: as exact as the bound of transforms (`docs/numerics.md`) takes them to be.

/// `exp(−2πi·j/n)`, from an angle of at most a quarter of a right one, so that each part is as exact as can be. The angle is
/// kept to twice the digits: its rounding would be the larger part of the error.
pub(super) fn turned(j: usize, n: usize) -> [f64; 2] {
    // A quarter of a right angle, and what binary64 leaves out of it.
    const QUARTER: [f64; 2] = [std::f64::consts::FRAC_PI_4, 3.061_616_997_868_383e-17];
    // Eighths of a turn, and what is left of the way to the next or from the last.
    let (eighth, rest) = (8 * j / n, 8 * j % n);
    let near = if eighth.is_multiple_of(2) { rest } else { n - rest } as f64;
    let angle = QUARTER[0] * near;
    let behind = QUARTER[0].mul_add(near, -angle) + QUARTER[1] * near;
    let (angle, behind) = (angle / n as f64, behind / n as f64);
    let (sin, cos) = angle.sin_cos();
    let (cos, sin) = (cos - behind * sin, sin + behind * cos);
    let (cos, sin) = match eighth {
        0 => (cos, sin),
        1 => (sin, cos),
        2 => (-sin, cos),
        3 => (-cos, sin),
        4 => (-cos, -sin),
        5 => (-sin, -cos),
        6 => (sin, -cos),
        _ => (cos, -sin),
    };
    [cos, -sin]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twiddle_factors_are_exact_where_they_can_be() {
        for n in [1, 2, 4, 8, 64, 1024] {
            for j in 0..n {
                let [re, im] = turned(j, n);
                let angle = std::f64::consts::TAU * j as f64 / n as f64;
                assert!((re - angle.cos()).abs() < 1e-15 && (im + angle.sin()).abs() < 1e-15, "{j}/{n}");
                if 4 * j % n == 0 {
                    assert!(re.fract() == 0.0 && im.fract() == 0.0, "{j}/{n}");
                }
            }
        }
    }

    /// What the transforms there, of image and kernel, the product and the transform back err by, in units of roundoff, as
    /// `docs/numerics.md` counts it, for every size that a tile can have.
    #[test]
    fn the_bound_holds_for_the_stages_of_every_size() {
        for (miss, longest) in [(1.0, 11), (1.3, 10)] {
            let product = 5f64.sqrt();
            let line = |log: i32| match (log, log % 2) {
                (0, _) => 0.0,
                (_, 0) => 2.0 + f64::from(log / 2 - 1) * (2.0 + product + miss),
                _ => 1.0 + f64::from((log - 1) / 2) * (2.0 + product + miss),
            };
            for y in (0..=longest).filter(|&y| y == 0 || y > 2) {
                for x in 3..=longest {
                    let error = 3.0 * (line(y) + line(x)) + product;
                    assert!(error <= 8.0 * f64::from(x + y), "{y} {x}: {error}");
                }
            }
        }
    }

    /// Within 1.3 units of roundoff, the value that the bound is derived with; against series in 60-bit fixed point.
    #[test]
    fn twiddle_factors_are_as_exact_as_the_bound_takes_them() {
        let one = 1i128 << 60;
        // π · 2^60.
        let pi = 3_622_009_729_038_561_421_i128;
        for n in [8usize, 64, 1024, 2048] {
            for j in 0..=n / 8 {
                let angle = pi * 2 * j as i128 / n as i128;
                let mut sums = [0i128; 2];
                let mut term = one;
                for k in 0..24usize {
                    sums[k % 2] += if k % 4 < 2 { term } else { -term };
                    term = term * angle / one / (k as i128 + 1);
                }
                let found = turned(j, n).map(|v| (v * one as f64) as i128);
                let miss = [found[0] - sums[0], found[1] + sums[1]].map(|v| v as f64 / one as f64);
                assert!(miss[0].hypot(miss[1]) <= 1.3 * f64::EPSILON / 2.0, "{j}/{n}: {miss:?}");
            }
        }
    }
}
