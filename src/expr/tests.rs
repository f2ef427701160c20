use super::lower::{Binding, Program, Slot, Step};
use super::scalar::{self, Lane};
use super::*;

/// Every operation and function of `x` and `y`.
pub(crate) const OPERATIONS: &[&str] = &[
    "x + y",
    "x - y",
    "x * y",
    "x / y",
    "x ** y",
    "x % y",
    "min(x, y)",
    "max(x, y)",
    "where(x, y, -x)",
    "sqrt(x)",
    "exp(x)",
    "exp2(x)",
    "log(x)",
    "log2(x)",
    "log10(x)",
    "sin(x)",
    "cos(x)",
    "(x < y) + 2*(x <= y) + 4*(x == y) + 8*(x != y)",
    "(x and y) + 2*(x or y) + 4*(not x)",
    "floor(x)",
    "ceil(x)",
    "trunc(x)",
    "round(x)",
    "abs(x)",
    "sign(x)",
];
/// The functions made of others.
pub(crate) const MADE_OF_OTHERS: &[&str] = &[
    "acos(x)",
    "acosh(x)",
    "asin(x)",
    "asinh(x)",
    "atan(x)",
    "atan2(x, y)",
    "atan2(y, x)",
    "atanh(x)",
    "cbrt(x)",
    "cosh(x)",
    "erf(x)",
    "erfc(x)",
    "expm1(x)",
    "hypot(x, y)",
    "log1p(x)",
    "sinh(x)",
    "tan(x)",
    "tanh(x)",
];

/// A program as a function of its inputs.
pub(crate) fn evaluate<T: Lane>(program: &Program, uniforms: &[T], inputs: &[T]) -> T {
    let mut values = Vec::with_capacity(program.steps.len());
    let of = |slot: Slot, values: &[T]| match slot {
        Slot::Input(input) => inputs[input],
        Slot::Uniform(uniform) => uniforms[uniform],
        Slot::Step(step) => values[step],
    };
    for step in &program.steps {
        let value = match *step {
            Step::Unary(op, a) => scalar::unary(op, of(a, &values)),
            Step::Binary(op, a, b) => scalar::binary(op, of(a, &values), of(b, &values)),
            Step::Where(c, a, b) => of(if of(c, &values).is_true() { a } else { b }, &values),
        };
        values.push(value);
    }
    of(program.result, &values)
}

/// The value of an expression of `x` and `y`.
fn value<T: Lane + crate::Element>(text: &str, x: f64, y: f64) -> T {
    let expression = Expression::new(&format!("where(1, {text}, x + y)")).unwrap();
    let expression = if T::DTYPE == crate::Dtype::F32 { expression.written_out() } else { expression };
    let value = |name: &String| if name == "x" { x } else { y };
    let bindings: Vec<_> = expression.names().iter().map(|name| Binding::Value(value(name))).collect();
    Program::new(&expression, &bindings, 0).uniforms(&expression, &bindings)[0]
}

#[test]
fn precedence_is_pythons() {
    for (text, expected) in [
        ("1 + 2*3 - 4/2", 5.0),
        ("2**3**2", 512.0),
        ("-2**2", -4.0),
        ("2**-1", 0.5),
        ("(-2)**2", 4.0),
        ("--3", 3.0),
        ("-+-3", 3.0),
        ("8/4/2", 1.0),
        ("8-4-2", 2.0),
        ("1 < 2", 1.0),
        ("1 < 2 < 2", 0.0),
        ("3 > 2 >= 2 != 1", 1.0),
        ("1 == 2 or 3 and not 0", 1.0),
        ("not 1 == 2", 1.0),
        ("not not 5", 1.0),
        ("1 + 1 < 3 and 2*2 == 4", 1.0),
        (".5e1 + 1E-1*10", 6.0),
        ("max(1, 5, 3) - min(4, 2, 8)", 3.0),
        ("where(0, 1, 2)", 2.0),
        ("pow(2, 10) + hypot(3, 4)", 1029.0),
        ("x - y", 5.0),
        ("3**1 + 4**2 + 4**-1", 19.25),
        ("7 % 4 * 2 + -7 % 4 + 7 % -4 + x % 2.5", 8.0),
        ("sign(-3) + sign(x)*4 + clip(x, 1, 3) + clip(-x, 1, 3)", 7.0),
        ("abs(atan2(0, -1) - 3.1415927) + abs(arctan2(1, 1)*4 - 3.1415927) < 1e-6", 1.0),
    ] {
        assert_eq!(value::<f64>(text, 7.0, 2.0), expected, "{text}");
        assert_eq!(value::<f32>(text, 7.0, 2.0), expected as f32, "{text}");
    }
}

#[test]
fn errors_name_the_place_and_what_was_expected() {
    let long = format!("{}1{}", "(".repeat(500), ")".repeat(500));
    let many: String = (0..5000).map(|i| format!("+(x+{i})")).collect();
    let last = format!("max({})", (0..2000).map(|i| format!("x+{i}")).collect::<Vec<_>>().join(", "));
    let folded = format!("max(x{})", ", x".repeat(5000));
    for (text, column, expected) in [
        ("", 1, "a number, a name or `(`"),
        ("   ", 4, "a number, a name or `(`"),
        ("x*", 3, "a number, a name or `(`"),
        ("x*(y", 5, "`)` or an operator"),
        ("x y", 3, "an operator or the end"),
        ("x)", 2, "an operator or the end"),
        ("2x", 1, "a number such as"),
        ("1..2", 1, "a number such as"),
        (".", 1, "a number such as"),
        ("x ^ 2", 3, "`**` for powers"),
        ("x & y", 3, "`and`"),
        ("a = 3", 3, "`==` to compare"),
        ("foo(x)", 1, "one of abs, acos"),
        ("1 + sin()", 5, "1 argument"),
        ("where(a, b)", 1, "3 arguments"),
        ("max(a)", 1, "2 arguments or more"),
        ("sin(a, ", 8, "a number, a name or `(`"),
        ("sin(a b)", 7, "`,`, `)` or an operator"),
        ("é + ü + $", 9, "numbers, names"),
        ("x and", 6, "a number, a name or `(`"),
        ("or x", 1, "a number, a name or `(`"),
        ("x // 2", 4, "a number, a name or `(`"),
        ("atn(x)", 1, "`atan`, or another of abs"),
        ("arcsine(x)", 1, "`arcsin`, or"),
        ("Sin(x)", 1, "`sin`, or"),
        ("ARCTAN(x)", 1, "`arctan`, or"),
        ("atan2(x)", 1, "2 arguments"),
        ("clip(x, 1)", 1, "clip(x, low, high)"),
        (&long, 129, "at most 128"),
        (&many, 0, "at most 4096"),
        (&last, 0, "at most 4096"),
        (&folded, 0, "at most 4096"),
    ] {
        let error = Expression::new(text).unwrap_err();
        let crate::Error::Invalid { got, expected: wanted, .. } = &error else { panic!("{error}") };
        assert!(column == 0 || got.ends_with(&format!("(column {column})")), "{text}: {error}");
        assert!(wanted.contains(expected), "{text}: {error}");
    }
}

#[test]
fn equal_terms_are_one_and_uniform_ones_are_folded() {
    let expression = Expression::new("(a*x + x*a)*sin(2*a) + a*x").unwrap();
    assert_eq!(expression.names(), ["a", "x"]);
    let bindings = [Binding::Value(0.5), Binding::Input(0)];
    let program = Program::new(&expression, &bindings, 1);
    // a*x, its double, times the sine, plus a*x.
    assert_eq!(program.steps.len(), 4);
    let uniforms: Vec<f64> = program.uniforms(&expression, &bindings);
    assert_eq!(uniforms, [0.5, libm::sin(1.0)]);
}

/// How far `got` is from `exact`, in units of the last place of binary32 at `exact`.
fn ulps(got: f32, exact: f64) -> f64 {
    if exact.is_nan() {
        return if got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if exact.abs() >= 2f64.powi(128) - 2f64.powi(103) {
        return if got == exact.signum() as f32 * f32::INFINITY { 0.0 } else { f64::INFINITY };
    }
    let exponent = if exact == 0.0 { -126 } else { (exact.abs().log2().floor() as i32).max(-126) };
    (f64::from(got) - exact).abs() / 2f64.powi(exponent - 23)
}

/// The functions, their oracles in binary64, and their bounds.
type Case = (&'static str, fn(f32) -> f32, fn(f64) -> f64);
const CASES: [Case; 7] = [
    ("exp", binary32::exp, libm::exp),
    ("exp2", binary32::exp2, libm::exp2),
    ("log", binary32::log, libm::log),
    ("log2", binary32::log2, libm::log2),
    ("log10", binary32::log10, libm::log10),
    ("sin", binary32::sin, libm::sin),
    ("cos", binary32::cos, libm::cos),
];
const BOUND: f64 = 0.52;

/// The largest error of each function over every `step`-th binary32 number, both signs.
fn worst(step: usize) -> Vec<(&'static str, f64, f32)> {
    let one = |&(name, function, oracle): &Case| {
        let mut worst = (name, 0.0, 0.0);
        for bits in (0..=u32::MAX).step_by(step) {
            let x = f32::from_bits(bits);
            let error = ulps(function(x), oracle(f64::from(x)));
            if error > worst.1 {
                worst = (name, error, x);
            }
        }
        worst
    };
    CASES.iter().map(one).collect()
}

#[test]
fn functions_are_within_their_bound() {
    for (name, error, x) in worst(7919) {
        assert!(error <= BOUND, "{name}({x:e}): {error} ulp");
    }
}

/// All of them: some minutes with optimisation. `cargo test --release -- --ignored every_binary32`.
#[test]
#[ignore = "all 2^32 numbers, seven times"]
fn every_binary32_number_is_within_the_bound() {
    for (name, error, x) in worst(1) {
        println!("{name}: {error:.4} ulp at {x:e}");
        assert!(error <= BOUND, "{name}({x:e}): {error} ulp");
    }
}

#[test]
fn functions_at_special_values() {
    let special = [0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, f32::MIN_POSITIVE, 1e-45, -1e-45, f32::MAX];
    let near = [0.99999994, 1.0000001, 88.72283, 88.7229, -103.97208, -103.9721, -87.33655, 128.0, 127.99999, -150.0, -149.5];
    let angles = [
        std::f32::consts::PI,
        std::f32::consts::FRAC_PI_2,
        std::f32::consts::TAU,
        std::f32::consts::FRAC_PI_4,
        -3.0 * std::f32::consts::FRAC_PI_4,
    ];
    let hard = [1.6367e19, 9.896e22, 5.421e-20, 16777216.0];
    for x in special.into_iter().chain(near).chain(angles).chain(hard) {
        for (name, function, oracle) in CASES {
            let error = ulps(function(x), oracle(f64::from(x)));
            assert!(error <= BOUND, "{name}({x:e}): {error} ulp, {}", function(x));
        }
    }
    assert_eq!(binary32::log(1.0).to_bits(), 0);
    assert_eq!(binary32::sin(-0.0).to_bits(), 1 << 31);
}

#[test]
fn powers_are_within_their_bound_and_keep_ieees_special_cases() {
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        2.0,
        -2.0,
        3.0,
        -3.0,
        1e-45,
        f32::MAX,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        1.5,
        16777215.0,
        16777216.0,
        -16777218.0,
        8388607.5,
        0.99999994,
        1.0000001,
        -8388607.0,
    ];
    for x in special {
        for y in special {
            let (got, exact) = (binary32::pow(x, y), libm::pow(f64::from(x), f64::from(y)));
            assert!(ulps(got, exact) <= BOUND, "{x:e} ** {y:e}: {got:e}, not {exact:e}");
            let signed = exact as f32;
            assert!(exact.is_nan() || got.is_sign_negative() == signed.is_sign_negative(), "{x:e} ** {y:e}");
        }
    }
    // Random pairs whose power is neither 0 nor infinite, and bases next to 1 with large exponents.
    let philox = crate::Philox4x32::new(7);
    let mut worst = (0.0, 0.0, 0.0);
    for index in 0..300_000u64 {
        let [a, b, c, _] = philox.block(index);
        let x = match index % 3 {
            0 => f32::from_bits(a & 0x7fff_ffff),
            1 => f32::from_bits(0x3f80_0000 - (1 << 18) + (a >> 13)),
            _ => f32::from_bits(0x3f00_0000 + (a >> 8)),
        };
        if !x.is_normal() || x == 1.0 {
            continue;
        }
        let share = f64::from(b) / 2f64.powi(31) - 1.0;
        let y = (share * 140.0 / f64::from(x).log2()) as f32;
        let y = if c & 1 == 0 { y } else { y.round() };
        let error = ulps(binary32::pow(x, y), libm::pow(f64::from(x), f64::from(y)));
        if error > worst.0 {
            worst = (error, x, y);
        }
    }
    assert!(worst.0 <= BOUND, "{:e} ** {:e}: {} ulp", worst.1, worst.2, worst.0);
}

#[test]
fn extremes_order_zeros_and_propagate_nan() {
    for (a, b, least, most) in [(0.0, -0.0, -0.0, 0.0), (-0.0, 0.0, -0.0, 0.0), (1.0, 2.0, 1.0, 2.0), (-1.0, -2.0, -2.0, -1.0)] {
        assert_eq!(f32::to_bits(Lane::min(a, b)), f32::to_bits(least));
        assert_eq!(f32::to_bits(Lane::max(a, b)), f32::to_bits(most));
    }
    assert!(Lane::min(f32::NAN, 1.0).is_nan() && Lane::max(1.0, f32::NAN).is_nan());
}

#[test]
fn signs_of_zeros_are_plus_zero() {
    for (x, expected) in [(0.0, 0.0), (-0.0, 0.0), (-3.0, -1.0), (f64::INFINITY, 1.0)] {
        assert_eq!(value::<f64>("sign(x)", x, 0.0).to_bits(), f64::to_bits(expected), "{x}");
        assert_eq!(value::<f32>("sign(x)", x, 0.0).to_bits(), f32::to_bits(expected as f32), "{x}");
    }
    assert!(value::<f32>("sign(x)", f64::NAN, 0.0).is_nan());
}

#[test]
fn composed_functions() {
    for i in 0..20_000 {
        let x = (i as f32 - 10_000.0) * 0.37;
        let exact = libm::tan(f64::from(x));
        assert!(ulps(value("tan(x)", f64::from(x), 0.0), exact) <= 2.6, "tan({x})");
        let y = f32::from_bits(crate::Philox4x32::new(3).block(i)[0] & 0x7f7f_ffff);
        let exact = libm::hypot(f64::from(x), f64::from(y));
        assert!(ulps(value("hypot(x, y)", f64::from(x), f64::from(y)), exact) <= 3.0, "hypot({x}, {y})");
    }
    for (x, y, expected) in
        [(f64::INFINITY, f64::NAN, f64::INFINITY), (0.0, 0.0, 0.0), (f64::NAN, 1.0, f64::NAN), (3e38, 3e38, f64::INFINITY)]
    {
        let got: f32 = value("hypot(x, y)", x, y);
        assert!(f64::from(got) == expected || got.is_nan() && expected.is_nan(), "hypot({x}, {y}) = {got}");
    }
}

/// Functions that are made of others: their oracles in binary64 and their bounds in ulp.
type Bounded = (&'static str, fn(f64) -> f64, f64);
const COMPOSED: [Bounded; 14] = [
    ("acos", libm::acos, 1.5),
    ("acosh", |x| if x < 1.0 { f64::NAN } else { libm::acosh(x) }, 2.5),
    ("asin", libm::asin, 2.5),
    ("asinh", libm::asinh, 2.5),
    ("atan", libm::atan, 1.5),
    ("atanh", libm::atanh, 2.5),
    ("cbrt", libm::cbrt, 1.0),
    ("cosh", libm::cosh, 2.5),
    ("erf", libm::erf, 1.5),
    ("erfc", libm::erfc, 6.0),
    ("expm1", libm::expm1, 1.5),
    ("log1p", libm::log1p, 2.0),
    ("sinh", libm::sinh, 3.0),
    ("tanh", libm::tanh, 1.5),
];

/// The results of an expression of `x` and `y` in float32.
fn mapped(text: &str, x: &[f32], y: &[f32]) -> Vec<f32> {
    let how = crate::Map::new(&format!("where(y == y, {text}, {text})")).unwrap();
    crate::Backend::cpu().map::<f32>(&how, &[("x", &x), ("y", &y)]).unwrap().into_vec().unwrap()
}

/// Numbers of all magnitudes, those about 1 more often, and special ones.
fn arguments(step: usize) -> Vec<f32> {
    let all = (0..=u32::MAX).step_by(step).map(f32::from_bits);
    let near = (0x3d00_0000u32..0x4180_0000).step_by(step / 16 + 1).flat_map(|bits| [bits, bits | 1 << 31]).map(f32::from_bits);
    let edges = [0.0, 1.0, 0.5, 1.75, 0.6, 0.65, 4096.0, 0.8125, f32::INFINITY, f32::MIN_POSITIVE, f32::MAX, 89.4, 10.3, 1e-45];
    let edges = edges.into_iter().flat_map(|x: f32| [x, x.next_up(), x.next_down()]).flat_map(|x| [x, -x]);
    all.chain(near).chain(edges).chain([f32::NAN]).collect()
}

fn composed_functions_are_within_their_bounds(step: usize) {
    let x = arguments(step);
    let zeros = vec![0.0; x.len()];
    for (name, oracle, bound) in COMPOSED {
        let got = mapped(&format!("{name}(x)"), &x, &zeros);
        let mut worst = (0.0, 0.0);
        for (&x, &got) in x.iter().zip(&got) {
            let exact = oracle(f64::from(x));
            let error = ulps(got, exact);
            assert!(error <= bound, "{name}({x:e}): {got:e}, not {exact:e}: {error} ulp");
            let signed = exact.is_nan() || got.is_sign_negative() == (exact as f32).is_sign_negative();
            assert!(signed, "{name}({x:e}): {got:e}, not {exact:e}");
            worst = if error > worst.0 { (error, x) } else { worst };
        }
        println!("{name}: {:.3} ulp at {:e}", worst.0, worst.1);
    }
}

#[test]
fn composed_functions_are_within_their_bounds_at_some_numbers() {
    composed_functions_are_within_their_bounds(262_147);
}

/// `cargo test --release -- --ignored composed`.
#[test]
#[ignore = "eight million numbers, fourteen times"]
fn composed_functions_are_within_their_bounds_at_many_numbers() {
    composed_functions_are_within_their_bounds(509);
}

#[test]
fn angles_of_points_are_within_their_bound_in_every_quadrant() {
    let special = [0.0, -0.0, 1.0, -1.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-45, -1e-45, f32::MAX, -0.5, 3e-39];
    let pairs = special.iter().flat_map(|&x| special.map(|y| (x, y)));
    let philox = crate::Philox4x32::new(5);
    let random = (0..20_000u64).map(|i| {
        let [a, b, c, _] = philox.block(i);
        let near = |word: u32| f32::from_bits((word & 0x83ff_ffff) + 0x3e00_0000);
        if c % 3 == 0 { (f32::from_bits(a), f32::from_bits(b)) } else { (near(a), near(b)) }
    });
    let (x, y): (Vec<f32>, Vec<f32>) = pairs.chain(random).unzip();
    for ((&x, &y), got) in x.iter().zip(&y).zip(mapped("atan2(y, x)", &x, &y)) {
        let exact = libm::atan2(f64::from(y), f64::from(x));
        assert!(ulps(got, exact) <= 2.0, "atan2({y:e}, {x:e}): {got:e}, not {exact:e}: {} ulp", ulps(got, exact));
        assert!(exact.is_nan() || got.is_sign_negative() == exact.is_sign_negative(), "atan2({y:e}, {x:e}): {got:e}");
    }
}

#[test]
fn remainders_are_exact_and_have_the_divisors_sign() {
    let x = arguments(40_000_003);
    for (i, &a) in x.iter().enumerate() {
        let b = x[(i * 7 + 3) % x.len()];
        let got = mapped("x % y", &[a], &[b])[0];
        let (wide, divisor) = (f64::from(a), f64::from(b));
        // Exact in binary64 unless the quotient is too large for it, where `%` is.
        let rest = wide % divisor;
        let expected = if rest != 0.0 && (rest < 0.0) != (divisor < 0.0) { (rest as f32) + b } else { rest as f32 };
        let expected = if rest == 0.0 { 0f32.copysign(b) } else { expected };
        assert!(
            got.to_bits() == expected.to_bits() || got.is_nan() && expected.is_nan(),
            "{a:e} % {b:e}: {got:e}, not {expected:e}"
        );
    }
}

#[test]
fn float64_has_the_functions_of_libm() {
    for (name, oracle, _) in COMPOSED {
        let got: f64 = value(&format!("{name}(x)"), 0.7, 1.5);
        assert!(got == oracle(0.7) || got.is_nan(), "{name}: {got}");
    }
    let got: f64 = value("atan2(x, y) + x % 0.3", -0.7, -1.5);
    assert_eq!(got, libm::atan2(-0.7, -1.5) + (-0.7 % 0.3 + 0.3));
}

#[test]
fn long_texts_are_refused_in_few_words() {
    let error = |text: &str| Expression::new(text).unwrap_err().to_string();
    for text in
        ["x".to_string() + &"+1".repeat(5000), "+".repeat(9000), "(".repeat(9000), "a".repeat(9000) + " $", "x*".repeat(5000)]
    {
        let message = error(&text);
        assert!(message.len() < 400, "{message}");
    }
    assert!(error(&("x".to_string() + &"+1".repeat(5000))).contains("expected at most 4096"));
    assert!(error(&("ä".repeat(90) + " $ " + &"ö".repeat(90))).contains("$"));
}
