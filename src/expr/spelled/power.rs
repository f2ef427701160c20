//! Powers and cube roots.

use super::super::msun::{CP, DP, EXP as P, LN2_PARTS, POWER as L, Power, log2_in_parts, power_in_parts};
use super::exponential::scaled;
use super::{Binary, LN2, Term, high};

/// What a power of 1024 exactly has left before it overflows.
const OVERFLOW: f64 = 8.0085662595372944372e-017;

/// `x` to the power of `y`: that of the crate `libm`, but for numbers next to 1 to powers above 2^31. Their logarithm is a series
/// there, whose first product is rounded, which puts results off by up to 700 ulp; here it is that of any number.
pub(crate) fn pow(x: f64, y: f64) -> f64 {
    let [ix, iy] = [x, y].map(|number| number.to_bits() << 1 >> 33);
    let odd = y % 2.0 != 0.0;
    let known = x > 0.0 || y.trunc() == y;
    if !(matches!(ix, 0x3fef_ffff | 0x3ff0_0000) && (0x41e0_0001..=0x43f0_0000).contains(&iy) && x.abs() != 1.0 && known) {
        return libm::pow(x, y);
    }
    let Power { parts: [p_h, p_l], n, fraction } = power_in_parts(log2_in_parts(x.abs().to_bits()), y);
    let z = p_l + p_h;
    let power = if z > 1024.0 || z == 1024.0 && p_l + OVERFLOW > z - p_h {
        f64::INFINITY
    } else if z < -1075.0 || z == -1075.0 && p_l <= z - p_h {
        0.0
    } else {
        libm::scalbn(fraction, n as i32)
    };
    if x < 0.0 && odd { -power } else { power }
}

/// [`pow`] written out.
pub(super) fn power<'g>(x: Term<'g>, y: Term<'g>) -> Term<'g> {
    let (zero, one, infinity) = (x.number(0.0), x.number(1.0), x.number(f64::INFINITY));
    let (a, b) = (x.abs(), y.abs());
    let negative = y.less(0.0);
    // Of numbers below 0.
    let whole = y.trunc().with(Binary::Equal, y);
    let halved = 0.5 * y;
    let odd = whole.and(halved.trunc().with(Binary::Equal, halved).not());
    let sign = x.less(0.0).and(odd).choose(x.number(-1.0), one);

    let huge = b.at_least(high(0x41e0_0001));
    let [t1, t2] = log2_parts(a);
    let y1 = y.upper();
    let low = (y - y1) * t1 + y * t2;
    let exact = y1 * t1;
    let z = low + exact;
    let up = z.is(1024.0).and((z - exact).with(Binary::Less, low + OVERFLOW)).or(z.above(1024.0));
    let down = z.is(-1075.0).and(low.with(Binary::LessEqual, z - exact)).or(z.less(-1075.0));

    // 2 to the power of both parts.
    let word = z.upper();
    let n = (word.abs() + 0.5).trunc().copysign(z);
    let n = z.abs().at_least(high(0x3fe0_0001)).choose(n, zero);
    let rest = exact - n;
    let t = (low + rest).upper();
    let u = t * LN2_PARTS[0];
    let v = (low - (t - rest)) * LN2 + t * LN2_PARTS[1];
    let w = u + v;
    let less = v - (w - u);
    let square = w * w;
    let t1 = w - square * square.polynomial(&P);
    let r = (w * t1) / (t1 - 2.0) - (less + w * less);
    let power = scaled(1.0 - (r - w), n);
    let power = up.choose(infinity, down.choose(zero, power));

    // Where the logarithm need not be known.
    let grows = a.at_least(1.0).with(Binary::NotEqual, negative);
    let extreme = grows.choose(infinity, zero);
    let far = a.less(high(0x3fef_ffff)).or(a.at_least(high(0x3ff0_0001)));
    let power = huge.and(b.at_least(high(0x43f0_0001)).or(far)).choose(extreme, power) * sign;

    let power = x.less(0.0).and(whole.not()).choose(x.number(f64::NAN), power);
    let edge = a.is(0.0).or(a.is(f64::INFINITY)).or(a.is(1.0));
    let value = negative.choose(1.0 / a, a);
    let minus = x.number(1.0).copysign(x).less(0.0);
    let value = minus.and(a.is(1.0)).and(whole.not()).choose(x.number(f64::NAN), minus.and(odd).choose(-value, value));
    let power = edge.choose(value, power);
    let power = y.is(0.5).and(minus.not()).choose(x.sqrt(), power);
    let power = y.is(2.0).choose(x * x, power);
    let power = y.is(1.0).choose(x, y.is(-1.0).choose(1.0 / x, power));
    let power = b.is(f64::INFINITY).choose(a.is(1.0).choose(one, extreme), power);
    let number = x.or_if_number(y.or_if_number(power));
    y.is(0.0).or(x.is(1.0)).choose(one, number)
}

/// The logarithm to base 2 of a positive number in two parts, the first without its lower word.
fn log2_parts(a: Term<'_>) -> [Term<'_>; 2] {
    let m = a.significand();
    // Divided by 1, 1.5 or 2.
    let (low, upper) = (m.less(high(0x3ff3_988f)), m.at_least(high(0x3ffb_b67a)));
    let middle = low.or(upper).not();
    let bp = middle.pick(1.5, 1.0);
    let [dp_high, dp_low] = DP.map(|part| middle.pick(part, 0.0));
    let n = a.exponent();
    let (n, m) = (upper.choose(n + 1.0, n), upper.choose(m * 0.5, m));
    let u = m - bp;
    let v = 1.0 / (m + bp);
    let ss = u * v;
    let s_high = ss.upper();
    let t_high = (m.upper() + bp).upper();
    let t_low = m - (t_high - bp);
    let s_low = v * ((u - s_high * t_high) - s_high * t_low);
    let s2 = ss * ss;
    let r = (s2 * s2) * s2.polynomial(&L) + s_low * (s_high + ss);
    let s2 = s_high * s_high;
    let t_high = (3.0 + s2 + r).upper();
    let t_low = r - ((t_high - 3.0) - s2);
    let u = s_high * t_high;
    let v = s_low * t_high + t_low * ss;
    let p_high = (u + v).upper();
    let p_low = v - (p_high - u);
    let z_high = CP[1] * p_high;
    let z_low = CP[2] * p_high + p_low * CP[0] + dp_low;
    let t1 = (((z_high + z_low) + dp_high) + n).upper();
    [t1, z_low - (((t1 - n) - dp_high) - z_high)]
}

/// What rounding took from a product of numbers near 1 (Veltkamp, Dekker).
fn lost<'g>(a: Term<'g>, b: Term<'g>, product: Term<'g>) -> Term<'g> {
    let split = |x: Term<'g>| {
        let scaled = x * 134_217_729.0;
        let high = scaled - (scaled - x);
        (high, x - high)
    };
    let ((ah, al), (bh, bl)) = (split(a), split(b));
    ((ah * bh - product) + ah * bl + al * bh) + al * bl
}

/// The cube root, rounded once.
pub(super) fn cbrt(x: Term<'_>) -> Term<'_> {
    const ESCALE: [f64; 3] = [1.0, f64::from_bits(0x3ff4_28a2_f98d_728b), f64::from_bits(0x3ff9_65fe_a53d_6e3d)];
    const C: [f64; 4] = [
        f64::from_bits(0x3fe1_b0ba_bccf_ef9c),
        f64::from_bits(0x3fe2_c9a3_e94d_1da5),
        f64::from_bits(0xbfc4_dc30_b1a1_ddba),
        f64::from_bits(0x3f97_a8d3_e4ec_9b07),
    ];
    const U: [f64; 2] = [f64::from_bits(0x3fd5_5555_5555_5555), f64::from_bits(0x3fcc_71c7_1c71_c71c)];
    /// Roots next to the middle between two numbers, and what they round to.
    const NEXT_TO: [[f64; 2]; 2] = [
        [f64::from_bits(0x4009_b782_23aa_307c), f64::from_bits(0x3ff7_9d15_d0e8_d59c)],
        [f64::from_bits(0x401a_202b_fc89_ddff), f64::from_bits(0x3ffd_e87a_a837_820f)],
    ];
    let (a, m, e) = (x.abs(), x.significand(), x.exponent());
    let third = ((e + 0.5) * U[0]).floor();
    let rest = e - 3.0 * third;
    let of_rest = |[none, one, two]: [f64; 3]| rest.is(0.0).choose(x.number(none), rest.is(1.0).pick(one, two));
    // The root of zz, in 1..8.
    let zz = m * of_rest([1.0, 2.0, 4.0]);
    let r = 1.0 / m;
    let rr = r * of_rest([1.0, 0.5, 0.25]);
    let z2 = m * m;
    let y = (m * C[1] + C[0]) + z2 * (m * C[3] + C[2]);
    let h = (y * y) * (y * r) - 1.0;
    let y = y - (h * y) * (U[0] - U[1] * h);
    let mut y = y * of_rest(ESCALE);
    for _ in 0..2 {
        let y2 = y * y;
        let y2_low = lost(y, y, y2);
        let y3 = y2 * y;
        let y3_low = lost(y, y2, y3) + y * y2_low;
        let h = ((y3 - zz) + y3_low) * rr;
        y = y - h * (y * U[0]);
    }
    for [of, root] in NEXT_TO {
        y = zz.is(of).choose(x.number(root), y);
    }
    let y = (y * third.power_of_two()).copysign(x);
    a.is(0.0).or(a.is(f64::INFINITY)).choose(x, x.or_if_number(y))
}
