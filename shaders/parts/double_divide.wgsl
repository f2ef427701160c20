// Division, square root and remainder of binary64 on its bits, the first two rounded once, the last exact. Needs
// double_arithmetic.
struct Division64 {
    digit: u32,
    rest: vec2<u32>,
}

// rest 2^places over m: what is whole of it, below 2^11, and what is left. m has 53 bits, the rest is smaller.
fn divide_step64(rest: vec2<u32>, places: u32, m: vec2<u32>) -> Division64 {
    let raised = shift_left64(rest, places);
    // One too small at most: 21 bits of the divisor, rounded up.
    let guess = raised.y / (m.y + 1u);
    let low = mul_wide(m.x, guess);
    let left = add64(raised, negate64(vec2<u32>(low.x, low.y + m.y * guess)));
    let more = !is_less64(left, m);
    return Division64(guess + u32(more), select(left, add64(left, negate64(m)), more));
}

fn d_div(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let sign = (a.y ^ b.y) & D_SIGN;
    let am = d_magnitude(a);
    let bm = d_magnitude(b);
    let x = d_significand(am);
    let y = d_significand(bm);
    // 56 bits of a quotient in 1..2, eleven at a time. Of zeros the divisor is a number all the same.
    let below = u32(is_less64(x.m, y.m));
    var rest = add64(shift_left64(x.m, below), negate64(y.m));
    var q = vec2<u32>(1u, 0u);
    for (var i = 0u; i < 5u; i += 1u) {
        let step = divide_step64(rest, 11u, y.m);
        rest = step.rest;
        q = shift_left64(q, 11u) | vec2<u32>(step.digit, 0u);
    }
    let m = shift_left64(q, 8u) | vec2<u32>(u32(!is_zero64(rest)), 0u);
    let quotient = d_pack(sign, x.s - y.s - i32(below), m);
    let large = am.y >= D_TOP || is_zero64(bm);
    let small = bm.y >= D_TOP || is_zero64(am);
    let edge = vec2<u32>(0u, sign | select(0u, D_TOP, large));
    let number = select(quotient, edge, large || small);
    return select(number, D_NAN, d_is_nan(am) || d_is_nan(bm) || (large && small));
}

fn d_sqrt(a: vec2<u32>) -> vec2<u32> {
    let am = d_magnitude(a);
    let x = d_significand(am);
    let odd = u32(x.s & 1);
    let m = shift_left64(x.m, odd);
    // 55 bits of the root of m 2^56, one at a time.
    var rest = vec2<u32>(0u, 0u);
    var q = vec2<u32>(0u, 0u);
    for (var i = 0u; i < 55u; i += 1u) {
        let digits = select(0u, shift_right64(m, (52u - 2u * i) & 63u).x & 3u, i < 27u);
        rest = shift_left64(rest, 2u) | vec2<u32>(digits, 0u);
        let trial = shift_left64(q, 2u) | vec2<u32>(1u, 0u);
        let fits = !is_less64(rest, trial);
        rest = select(rest, add64(rest, negate64(trial)), fits);
        q = shift_left64(q, 1u) | vec2<u32>(u32(fits), 0u);
    }
    let root = d_pack(0u, (x.s - i32(odd)) / 2 + 26, shift_left64(q, 9u) | vec2<u32>(u32(!is_zero64(rest)), 0u));
    let itself = is_zero64(am) || (a.x == 0u && a.y == D_TOP);
    return select(select(root, D_NAN, a.y >= D_SIGN || d_is_nan(am)), a, itself);
}

// The exact remainder, with the sign of the dividend.
fn d_rem(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let am = d_magnitude(a);
    let bm = d_magnitude(b);
    let x = d_significand(am);
    let y = d_significand(bm);
    let known = am.y >= D_TOP || bm.y >= D_TOP || is_zero64(bm) || is_less64(am, bm);
    var places = select(x.s - y.s, 0, known);
    var rest = select(x.m, add64(x.m, negate64(y.m)), !is_less64(x.m, y.m));
    // Eleven binary places at a time, at most 2,098 in all.
    for (var i = 0u; i < 191u && places > 0; i += 1u) {
        let step = min(places, 11);
        rest = divide_step64(rest, u32(step), y.m).rest;
        places -= step;
    }
    let zeros = leading_zeros64(vec2<u32>(rest.x | 1u, rest.y));
    let packed = d_pack(0u, y.s + 63 - i32(zeros), shift_left64(rest, zeros));
    let remainder = select(packed, vec2<u32>(0u, 0u), is_zero64(rest));
    let magnitude = select(remainder, am, is_less64(am, bm));
    let nan = am.y >= D_TOP || d_is_nan(bm) || is_zero64(bm);
    return select(vec2<u32>(magnitude.x, magnitude.y | (a.y & D_SIGN)), D_NAN, nan);
}
