use super::super::lower::{Binding, Program};
use super::super::tests::{MADE_OF_OTHERS, OPERATIONS, evaluate};
use super::*;
use crate::Philox4x32;

type Function = Box<dyn Fn(&[f64]) -> f64>;

/// The function spelled out, and as CPUs compute it.
fn both(text: &str) -> [Function; 2] {
    let expression = Expression::new(text).unwrap();
    [expression.spelled_out(), expression.with_powers()].map(|expression| {
        let bindings: Vec<_> = (0..expression.names().len()).map(Binding::Input).collect();
        let program = Program::new(&expression, &bindings, bindings.len());
        let uniforms: Vec<f64> = program.uniforms(&expression, &bindings);
        Box::new(move |x: &[f64]| evaluate(&program, &uniforms, x)) as Function
    })
}

const SPECIAL: [f64; 30] = [
    0.0,
    1.0,
    0.5,
    2.0,
    3.0,
    -2.5,
    4.0,
    8.0,
    27.0,
    1e-5,
    1e5,
    f64::MIN_POSITIVE,
    5e-324,
    1e-310,
    f64::MAX,
    f64::INFINITY,
    f64::NAN,
    6.0,
    28.0,
    0.25,
    0.75,
    709.7,
    709.79,
    710.4,
    745.2,
    708.5,
    1023.5,
    1074.5,
    9007199254740993.0,
    3.3e9,
];
/// Upper words where functions change their way, and others that matter.
const WORDS: [u32; 40] = [
    0x3ff0a2b2, 0x3fd62e42, 0x3e300000, 0x4086232b, 0x3fe6a09e, 0x3ff6a09e, 0x3fda827a, 0x3fd2bec4, 0x3ca00000, 0x41e00000,
    0x43f00000, 0x3fefffff, 0x3ff00000, 0x3ff3988e, 0x3ffbb67a, 0x40900000, 0x4090cc00, 0x3fe00000, 0x3fe921fb, 0x3e500000,
    0x400f6a7a, 0x4002d97c, 0x3ff921fb, 0x400921fb, 0x401c463b, 0x4015fdbc, 0x4012d97c, 0x401921fb, 0x413921fb, 0x3fef3333,
    0x3fdc0000, 0x3fe60000, 0x3ff30000, 0x40038000, 0x44100000, 0x40862e42, 0x4043687a, 0x3feb0000, 0x3ff40000, 0x4006db6d,
];

fn argument(philox: &Philox4x32, i: u64) -> f64 {
    let [a, b, c, d] = philox.block(i);
    let bits = u64::from(a) << 32 | u64::from(b);
    let unit = bits as f64 / 2f64.powi(64);
    let sign = if d % 2 == 0 { 1.0 } else { -1.0 };
    sign * match d / 2 % 9 {
        0 => f64::from_bits(bits),
        1 => 2.0 * unit,
        2 => 40.0 * unit,
        3 => 760.0 * unit,
        4 => SPECIAL[c as usize % SPECIAL.len()],
        5 => f64::from_bits((u64::from(WORDS[c as usize % WORDS.len()]) << 32).wrapping_add(u64::from(a)).wrapping_sub(1 << 31)),
        6 => 1.0 + (unit - 0.5) * 2f64.powi(-((c % 55) as i32)),
        7 => f64::from(c % 4096) * std::f64::consts::FRAC_PI_4 * (1.0 + (unit - 0.5) * 2f64.powi(-48)),
        _ => f64::from(c % 4096) * 0.5,
    }
}

#[test]
fn functions_have_the_bits_of_the_cpu() {
    let philox = Philox4x32::new(11);
    let count = if cfg!(debug_assertions) { 20_000 } else { 2_000_000 };
    for text in OPERATIONS.iter().chain(MADE_OF_OTHERS) {
        let [spelled, cpu] = both(text);
        let two = text.contains('y');
        for i in 0..count {
            let inputs = [argument(&philox, 2 * i), argument(&philox, 2 * i + 1)];
            // The first name is the first input.
            let inputs = &inputs[..1 + usize::from(two)];
            let (got, wanted) = (spelled(inputs), cpu(inputs));
            let same = got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan();
            assert!(
                same,
                "{text} of {inputs:?} ({:x?}): {got:e}, not {wanted:e}",
                inputs.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            );
        }
    }
}

#[test]
fn large_angles_are_those_of_the_crate() {
    // To some ulp: both are within one of the sine.
    let philox = Philox4x32::new(12);
    for i in 0..20_000 {
        let [a, b, c, _] = philox.block(i);
        let x = f64::from_bits((u64::from(0x4139_2200 + c % 0x06b0_0000) << 32 | u64::from(a)) ^ u64::from(b & 1) << 63);
        for (got, wanted) in [(sin(x), libm::sin(x)), (cos(x), libm::cos(x))] {
            assert!((got - wanted).abs() <= 2f64.powi(-52) * wanted.abs(), "{x:e}: {got:e}, not {wanted:e}");
        }
    }
    // 6381956970095103 · 2^797 is the number next to a multiple of π/2, as far as is known: Muller, "Elementary Functions", 2016.
    let worst = 6381956970095103.0 * 2f64.powi(797);
    assert_eq!(cos(worst), -4.687_165_924_254_627_611e-19);
    assert_eq!(sin(worst), 1.0);
}

/// To powers above 2^31, where the crate `libm` is off by up to 700 ulp; the answers are those of 80 digits.
#[test]
fn powers_of_numbers_next_to_one_are_within_an_ulp() {
    const KNOWN: [[f64; 3]; 16] = [
        [0.9999998261351164, -4034329437.780324, 4.230883413241337e+304],
        [1.0000000083499185, 74184005308.95088, 1.0356282859726108e+269],
        [0.9999998583482771, 2480211849.4199924, 2.635868424591851e-153],
        [0.9999998842056081, -4454651326.301021, 1.0456202808440305e+224],
        [1.0000001304112003, -3040983280.0098777, 5.864794013078456e-173],
        [1.0000000000158271, -37865158863674.33, 5.356949989250873e-261],
        [-0.9999999999998975, -6453276555898427.0, -1.5659037069943984e+287],
        [1.0000000315839417, -9339327156.265501, 7.851600379192993e-129],
        [0.9999999716011624, -9398226822.198763, 8.177900758221996e+115],
        [0.9999999999966214, 35260265512597.98, 1.8276097825662987e-52],
        [0.9999999937413991, -70999963407.42958, 9.622417786962876e+192],
        [0.9999999996066262, -1133591862767.9038, 4.601539412319614e+193],
        [0.9999999997513612, -1152422148892.7034, 2.7629012652648744e+124],
        [0.9999997296934516, 2496075121.213973, 9.530295002059964e-294],
        [-0.9999999998835847, -8589934593.0, -2.7182818289337196],
        [0.9999999999999999, 6.7e+18, 1e-323],
    ];
    for [x, y, power] in KNOWN {
        let got = pow(x, y);
        assert!(got.to_bits().abs_diff(power.to_bits()) <= 1, "{x:e} ** {y:e}: {got:e}, not {power:e}");
    }
    let philox = Philox4x32::new(12);
    let [spelled, cpu] = both("x**y");
    for block in 0..20_000 {
        let [a, b, c, d] = philox.block(block);
        let x = 1.0 + (f64::from(a) - 2f64.powi(31)) * 2f64.powi(-51 - (b % 20) as i32);
        let y = (f64::from(c) - 2f64.powi(31)) * 2f64.powi((d % 34) as i32);
        let inputs = [if d >> 30 == 0 { -x } else { x }, y];
        let [got, wanted] = [spelled(&inputs), cpu(&inputs)];
        let same = got.to_bits() == wanted.to_bits() || got.is_nan() && wanted.is_nan();
        assert!(same, "{inputs:?}: {got:e}, not {wanted:e}");
    }
}
