//! The inverses of the circular functions.

use super::{Term, high};

const HALF_PI: [f64; 2] = [f64::from_bits(0x3ff9_21fb_5444_2d18), f64::from_bits(0x3c91_a626_3314_5c07)];
const PI: [f64; 2] = [f64::from_bits(0x4009_21fb_5444_2d18), f64::from_bits(0x3ca1_a626_3314_5c07)];

/// (asin(√z) / √z − 1) as a ratio.
fn ratio(z: Term<'_>) -> Term<'_> {
    const P: [f64; 6] = [
        f64::from_bits(0x3fc5_5555_5555_5555),
        f64::from_bits(0xbfd4_d612_03eb_6f7d),
        f64::from_bits(0x3fc9_c155_0e88_4455),
        f64::from_bits(0xbfa4_8228_b568_8f3b),
        f64::from_bits(0x3f49_efe0_7501_b288),
        f64::from_bits(0x3f02_3de1_0dfd_f709),
    ];
    const Q: [f64; 5] = [
        1.0,
        f64::from_bits(0xc003_3a27_1c8a_2d4b),
        f64::from_bits(0x4000_2ae5_9c59_8ac8),
        f64::from_bits(0xbfe6_066c_1b8d_0159),
        f64::from_bits(0x3fb3_b8c5_b12e_9282),
    ];
    z * z.polynomial(&P) / z.polynomial(&Q)
}

/// Of magnitudes from 1/2 on `z = (1 − a) / 2`, its root and the root's upper word with the rest; of smaller ones `z = a²`.
fn halves<'g>(a: Term<'g>, large: Term<'g>) -> [Term<'g>; 4] {
    let half = (1.0 - a) * 0.5;
    let s = half.sqrt();
    let f = s.upper();
    let c = (half - f * f) / (s + f);
    [ratio(large.choose(half, a * a)), s, f, c]
}

pub(super) fn acos(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    let large = a.at_least(0.5);
    let [r, s, f, c] = halves(a, large);
    let small = HALF_PI[0] - (x - (HALF_PI[1] - x * r));
    let below = 2.0 * (HALF_PI[0] - (s + (r * s - HALF_PI[1])));
    let above = 2.0 * (f + (r * s + c));
    let y = large.choose(x.less(0.0).choose(below, above), small);
    let y = a.is(1.0).choose(x.less(0.0).pick(2.0 * HALF_PI[0], 0.0), y);
    x.or_if_number(a.above(1.0).choose(x.number(f64::NAN), y))
}

pub(super) fn asin(x: Term<'_>) -> Term<'_> {
    let a = x.abs();
    let large = a.at_least(0.5);
    let [r, s, f, c] = halves(a, large);
    let next = HALF_PI[0] - (2.0 * (s + s * r) - HALF_PI[1]);
    let far = 0.5 * HALF_PI[0] - ((2.0 * s) * r - (HALF_PI[1] - 2.0 * c) - (0.5 * HALF_PI[0] - 2.0 * f));
    let y = a.at_least(high(0x3fef_3333)).choose(next, far).copysign(x);
    let small = a.at_least(f64::MIN_POSITIVE).and(a.less(high(0x3e50_0000))).choose(x, x + x * r);
    let y = large.choose(y, small);
    let y = a.is(1.0).choose(x * HALF_PI[0], y);
    x.or_if_number(a.above(1.0).choose(x.number(f64::NAN), y))
}

/// Of a number that is not NaN.
pub(super) fn atan<'g>(x: Term<'g>) -> Term<'g> {
    const HIGH: [f64; 4] = [
        f64::from_bits(0x3fdd_ac67_0561_bb4f),
        f64::from_bits(0x3fe9_21fb_5444_2d18),
        f64::from_bits(0x3fef_730b_d281_f69b),
        HALF_PI[0],
    ];
    const LOW: [f64; 4] = [
        f64::from_bits(0x3c7a_2b7f_222f_65e2),
        f64::from_bits(0x3c81_a626_3314_5c07),
        f64::from_bits(0x3c70_0788_7af0_cbbd),
        HALF_PI[1],
    ];
    const A: [f64; 11] = [
        f64::from_bits(0x3fd5_5555_5555_550d),
        f64::from_bits(0xbfc9_9999_9998_ebc4),
        f64::from_bits(0x3fc2_4924_9200_83ff),
        f64::from_bits(0xbfbc_71c6_fe23_1671),
        f64::from_bits(0x3fb7_45cd_c54c_206e),
        f64::from_bits(0xbfb3_b0f2_af74_9a6d),
        f64::from_bits(0x3fb1_0d66_a0d0_3d51),
        f64::from_bits(0xbfad_de2d_52de_fd9a),
        f64::from_bits(0x3fa9_7b4b_2476_0deb),
        f64::from_bits(0xbfa2_b444_2c6a_6c2f),
        f64::from_bits(0x3f90_ad3a_e322_da11),
    ];
    let a = x.abs();
    let ranges = [a.less(high(0x3fe6_0000)), a.less(high(0x3ff3_0000)), a.less(high(0x4003_8000))];
    let by_range = |[first, second, third, last]: [Term<'g>; 4]| {
        ranges[0].choose(first, ranges[1].choose(second, ranges[2].choose(third, last)))
    };
    let numbers = |all: [f64; 4]| by_range(all.map(|c| x.number(c)));
    let above = by_range([2.0 * a - 1.0, a - 1.0, a - 1.5, x.number(-1.0)]);
    let below = by_range([2.0 + a, a + 1.0, 1.0 + 1.5 * a, a]);
    let near = a.less(high(0x3fdc_0000));
    let r = near.choose(x, above / below);
    let z = r * r;
    let w = z * z;
    let s1 = z * w.polynomial(&[A[0], A[2], A[4], A[6], A[8], A[10]]);
    let s2 = w * w.polynomial(&[A[1], A[3], A[5], A[7], A[9]]);
    let product = r * (s1 + s2);
    let far = (numbers(HIGH) - ((product - numbers(LOW)) - r)).copysign(x);
    let far = a.at_least(high(0x4410_0000)).choose(x.number(HALF_PI[0]).copysign(x), far);
    let y = near.choose(r - product, far);
    x.or_if_number(a.less(high(0x3e40_0000)).choose(x, y))
}

pub(super) fn atan2<'g>(y: Term<'g>, x: Term<'g>) -> Term<'g> {
    let (a, b) = (x.abs(), y.abs());
    let infinite = a.is(f64::INFINITY).and(b.is(f64::INFINITY));
    let ratio = (y / x).abs();
    let angle = atan(infinite.choose(x.number(1.0), y.is(0.0).choose(x.number(0.0), ratio)));
    // Whether the exponents differ by more than 64, by the upper words.
    let word = a.upper();
    let shifted = a.less(f64::MIN_POSITIVE).choose(2f64.powi(-959) + word * 2f64.powi(63), word * 2f64.powi(64));
    let steep = x.is(0.0).or(b.is(f64::INFINITY).and(infinite.not())).or(shifted.with(super::Binary::Less, b.upper()));
    let steep = steep.and(y.is(0.0).not());
    let left = x.number(1.0).copysign(x).less(0.0);
    let other = infinite.choose(x.number(3.0 * PI[0] / 4.0), PI[0] - (angle - PI[1]));
    let turned = steep.choose(x.number(PI[0] / 2.0), left.choose(other, angle)).copysign(y);
    x.or_if_number(y.or_if_number(turned))
}
