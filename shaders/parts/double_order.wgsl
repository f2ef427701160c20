// Order, truth and whole numbers of binary64 on its bits. Needs double_arithmetic.
fn d_truth(a: bool) -> vec2<u32> {
    return select(vec2<u32>(0u, 0u), D_ONE, a);
}

fn d_is_true(a: vec2<u32>) -> bool {
    return !is_zero64(d_magnitude(a));
}

// Order: -0 as 0. Not for NaN.
fn d_key(a: vec2<u32>) -> vec2<u32> {
    let key = select(vec2<u32>(a.x, a.y | D_SIGN), ~a, a.y >= D_SIGN);
    return select(key, vec2<u32>(0u, D_SIGN), is_zero64(d_magnitude(a)));
}

fn d_unordered(a: vec2<u32>, b: vec2<u32>) -> bool {
    return d_is_nan(d_magnitude(a)) || d_is_nan(d_magnitude(b));
}

// -0 before +0.
fn d_min(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let x = d_key(a);
    let y = d_key(b);
    let ordered = select(select(a | b, b, is_less64(y, x)), a, is_less64(x, y));
    return select(ordered, D_NAN, d_unordered(a, b));
}

fn d_max(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let x = d_key(a);
    let y = d_key(b);
    let ordered = select(select(a & b, b, is_less64(x, y)), a, is_less64(y, x));
    return select(ordered, D_NAN, d_unordered(a, b));
}

fn d_trunc(a: vec2<u32>) -> vec2<u32> {
    let field = (a.y >> 20u) & 2047u;
    let fraction = 1075u - clamp(field, 1023u, 1075u);
    let kept = shift_left64(shift_right64(a, fraction), fraction);
    return select(select(kept, vec2<u32>(0u, a.y & D_SIGN), field < 1023u), a, field >= 1075u);
}

// To the nearest, of two the even one.
fn d_round(a: vec2<u32>) -> vec2<u32> {
    let field = (a.y >> 20u) & 2047u;
    let shift = 1075u - clamp(field, 1023u, 1074u);
    let odd = shift_right64(a, shift).x & 1u;
    let half = add64(shift_left64(vec2<u32>(1u, 0u), shift - 1u), vec2<u32>(0xFFFFFFFFu, 0xFFFFFFFFu));
    let raised = add64(add64(a, half), vec2<u32>(odd, 0u));
    let whole = shift_left64(shift_right64(raised, shift), shift);
    // Below 1: 1 above a half.
    let one = a.y & 0x7FFFFFFFu;
    let least = select(0u, D_ONE.y, one > 0x3FE00000u || (one == 0x3FE00000u && a.x != 0u));
    return select(select(whole, vec2<u32>(0u, (a.y & D_SIGN) | least), field < 1023u), a, field >= 1075u);
}

// The whole number of a magnitude below 2^63; larger ones and infinities as 2^63, NaN as 0.
fn d_whole(magnitude: vec2<u32>) -> vec2<u32> {
    let x = d_significand(magnitude);
    let down = shift_right64(x.m, u32(clamp(-x.s, 0, 63)));
    let up = shift_left64(x.m, u32(clamp(x.s, 0, 10)));
    let whole = select(select(down, up, x.s > 0), vec2<u32>(0u, D_SIGN), x.s > 10);
    return select(whole, vec2<u32>(0u, 0u), d_is_nan(magnitude));
}
