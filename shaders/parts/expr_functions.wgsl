// Functions of binary32 on its bits: `src/expr/binary32.rs`, step by step. Needs expr_arithmetic.
const RECIPROCAL = array<u32, 32>(
    256u, 245u, 237u, 231u, 224u, 218u, 213u, 207u, 202u, 197u, 193u, 188u, 184u, 180u, 176u, 172u,
    169u, 165u, 162u, 159u, 156u, 153u, 150u, 148u, 145u, 142u, 140u, 138u, 135u, 133u, 131u, 128u,
);
const LOG2_TABLE = array<vec2<u32>, 32>(
    vec2<u32>(0x00000000u, 0x00000000u), vec2<u32>(0xF2A1A768u, 0x040E1FBEu), vec2<u32>(0xDC3C713Fu, 0x071ED4A2u),
    vec2<u32>(0xADFEE84Du, 0x097CF196u), vec2<u32>(0x5FDE9933u, 0x0C544C05u), vec2<u32>(0xF220E97Fu, 0x0ED61169u),
    vec2<u32>(0x44B35108u, 0x10FA8480u), vec2<u32>(0x559F6F7Fu, 0x139DE8E1u), vec2<u32>(0xEEAE0E44u, 0x15DFDCF1u),
    vec2<u32>(0xC11FD32Au, 0x18304D90u), vec2<u32>(0x2981B3D8u, 0x1A152F14u), vec2<u32>(0xD45FE439u, 0x1C819DC2u),
    vec2<u32>(0x538AB34Fu, 0x1E7DF5FEu), vec2<u32>(0x34F93132u, 0xE0857A97u), vec2<u32>(0xCD15F102u, 0xE298AC1Fu),
    vec2<u32>(0xC77D5F5Cu, 0xE4B81408u), vec2<u32>(0xE1DCD0CBu, 0xE657FDC6u), vec2<u32>(0x8104C41Cu, 0xE88E2D45u),
    vec2<u32>(0x04297860u, 0xEA3FE5C6u), vec2<u32>(0xE4FBB68Au, 0xEBF9B9C4u), vec2<u32>(0xF1F8C67Eu, 0xEDBBF854u),
    vec2<u32>(0x4FCFF691u, 0xEF86F524u), vec2<u32>(0xE6D3481Cu, 0xF15B08D9u), vec2<u32>(0x2589B608u, 0xF29850E9u),
    vec2<u32>(0x887EC06Bu, 0xF47C5E95u), vec2<u32>(0xC3A8F2F0u, 0xF66A8B0Eu), vec2<u32>(0x92C30E35u, 0xF7B9D3B9u),
    vec2<u32>(0xD4951167u, 0xF90DEF6Fu), vec2<u32>(0xB6038F4Au, 0xFB157408u), vec2<u32>(0xDEAA9421u, 0xFC7640A8u),
    vec2<u32>(0x5D997DA2u, 0xFDDC65C5u), vec2<u32>(0x00000000u, 0x00000000u),
);
const TWO_PER_PI = array<u32, 11>(
    0x00000000u, 0x00000000u, 0xA2F9836Eu, 0x4E441529u, 0xFC2757D1u, 0xF534DDC0u,
    0xDB629599u, 0x3C439041u, 0xFE5163ABu, 0xDEBBC561u, 0xB7246E3Au,
);

fn mul_high(a: u32, b: u32) -> u32 {
    return mul_wide(a, b).y;
}

// 2 to the power of p 2^-(32 + shift), negated if `negative`.
fn exp2_scaled(p: vec2<u32>, shift: i32, negative: bool) -> u32 {
    let t = select(wide_shr(p, u32(clamp(shift, 0, 63))), vec2<u32>(0u, 512u), shift < 14 && (p.x | p.y) != 0u);
    let signed = select(t, wide_neg(t), negative);
    let f = signed.x;
    var y = 0x0000ADE9u;
    y = 0x0004C98Bu + mul_high(y, f);
    y = 0x002BDF8Du + mul_high(y, f);
    y = 0x013B1A32u + mul_high(y, f);
    y = 0x071AC4FCu + mul_high(y, f);
    y = 0x1EBFBDD3u + mul_high(y, f);
    y = 0x58B90C00u + mul_high(y, f);
    return pack(0u, clamp(bitcast<i32>(signed.y), -200, 200), SIGN + mul_high(y, f));
}

fn e_exp(a: u32) -> u32 {
    let x = significand(a & MAGNITUDE);
    let p = wide_add(mul_wide(x.m, 0xB8AA3B29u), vec2<u32>(mul_high(x.m, 0x5C17F0BCu), 0u));
    return select(exp2_scaled(p, -1 - x.s, a >= SIGN), NAN, is_nan(a));
}

fn e_exp2(a: u32) -> u32 {
    let x = significand(a & MAGNITUDE);
    return select(exp2_scaled(wide_shl(vec2<u32>(x.m, 0u), 31u), -1 - x.s, a >= SIGN), NAN, is_nan(a));
}

// m 2^(exponent - 63), negated if `negative`; the top bit of m is set, unless it is 0.
struct Logarithm {
    m: vec2<u32>,
    exponent: i32,
    negative: bool,
}

fn logarithm(magnitude: u32) -> Logarithm {
    let x = significand(magnitude);
    let i = (x.m >> 18u) & 31u;
    let r = bitcast<i32>(x.m * RECIPROCAL[i] - SIGN);
    let scaled = bitcast<i32>(bitcast<u32>(r) << 5u);
    var y = -22;
    y = 422 + bitcast<i32>(smul_wide(y, scaled).y);
    y = -7879 + bitcast<i32>(smul_wide(y, scaled).y);
    y = 151278 + bitcast<i32>(smul_wide(y, scaled).y);
    y = -3025551 + bitcast<i32>(smul_wide(y, scaled).y);
    y = 64545084 + bitcast<i32>(smul_wide(y, scaled).y);
    y = -1549082005 + bitcast<i32>(smul_wide(y, scaled).y);
    let slope = wide_add(vec2<u32>(0xAE0BF85Eu, 0x5C551D94u), smul_wide(r, y));
    let upper = smul_wide(r, bitcast<i32>(slope.y));
    var lower = mul_wide(bitcast<u32>(r), slope.x);
    lower.y -= select(0u, slope.x, r < 0);
    let shifted = vec2<u32>((lower.x >> 31u) | (lower.y << 1u), bitcast<u32>(bitcast<i32>(lower.y) >> 31u));
    let rest = wide_add(wide_add(wide_shl(upper, 1u), shifted), LOG2_TABLE[i]);
    let whole = x.s + 23 + i32(i >= 13u);
    let coarse = vec2<u32>((rest.x >> 9u) | (rest.y << 23u), bitcast<u32>(bitcast<i32>(rest.y) >> 9u));
    let sum = wide_add(vec2<u32>(0u, bitcast<u32>(whole) << 21u), coarse);
    let value = select(sum, rest, whole == 0);
    let negative = value.y >= SIGN;
    let m = select(value, wide_neg(value), negative);
    let zeros = wide_zeros(m);
    return Logarithm(wide_shl(m, zeros), select(10, 1, whole == 0) - i32(zeros), negative);
}

// The logarithm times a factor in 1/2..1 (0: 1) times 2^more.
fn log_times(a: u32, factor: u32, more: i32) -> u32 {
    let magnitude = a & MAGNITUDE;
    if (magnitude == 0u) {
        return SIGN | INF;
    }
    if (magnitude > INF || a >= SIGN) {
        return NAN;
    }
    if (a == INF) {
        return a;
    }
    let x = logarithm(magnitude);
    let m = select(mul_wide(x.m.y, factor), x.m, factor == 0u);
    if (m.x == 0u && m.y == 0u) {
        return 0u;
    }
    let zeros = wide_zeros(m);
    return pack(select(0u, SIGN, x.negative), x.exponent + more - i32(zeros), wide_shl(m, zeros).y);
}

fn e_log(a: u32) -> u32 {
    return log_times(a, 0xB17217F8u, 0);
}

fn e_log2(a: u32) -> u32 {
    return log_times(a, 0u, 0);
}

fn e_log10(a: u32) -> u32 {
    return log_times(a, 0x9A209A85u, -1);
}

fn e_pow(a: u32, b: u32) -> u32 {
    let am = a & MAGNITUDE;
    let bm = b & MAGNITUDE;
    if (bm == 0u || a == ONE) {
        return ONE;
    }
    if (am > INF || bm > INF) {
        return NAN;
    }
    if (am == ONE && bm == INF) {
        return ONE;
    }
    let y = significand(bm);
    let places = -y.s;
    let at = u32(places) & 31u;
    let whole = places <= 0 || (places < 24 && (y.m & ((1u << at) - 1u)) == 0u);
    let odd = whole && places >= 0 && places < 24 && ((y.m >> at) & 1u) == 1u;
    let sign = select(0u, a & SIGN, odd);
    if (am == 0u || am == INF || bm == INF) {
        return sign | select(0u, INF, (am > ONE) == (b < SIGN));
    }
    if (a >= SIGN && !whole) {
        return NAN;
    }
    let x = logarithm(am);
    let p = wide_add(mul_wide(y.m, x.m.y), vec2<u32>(mul_high(y.m, x.m.x), 0u));
    return sign | exp2_scaled(p, -(y.s + x.exponent + 1), x.negative != (b >= SIGN));
}

// The sine, or the cosine if `cosine` is 1.
fn circular(a: u32, cosine: u32) -> u32 {
    let magnitude = a & MAGNITUDE;
    if (magnitude >= INF) {
        return NAN;
    }
    if (magnitude < 0x39000000u) {
        return select(a, ONE, cosine == 1u);
    }
    let x = significand(magnitude);
    let start = u32(62 + x.s);
    let at = start / 32u;
    let s = start & 31u;
    let w0 = (TWO_PER_PI[at] << s) | ((TWO_PER_PI[at + 1u] >> 1u) >> (31u - s));
    let w1 = (TWO_PER_PI[at + 1u] << s) | ((TWO_PER_PI[at + 2u] >> 1u) >> (31u - s));
    let w2 = (TWO_PER_PI[at + 2u] << s) | ((TWO_PER_PI[at + 3u] >> 1u) >> (31u - s));
    let high = vec2<u32>(0u, x.m * w0);
    let turns = wide_add(wide_add(vec2<u32>(mul_high(x.m, w2), 0u), mul_wide(x.m, w1)), high);
    let quadrant = (turns.y + 0x20000000u) >> 30u;
    let r = vec2<u32>(turns.x, turns.y - (quadrant << 30u));
    let negative = r.y >= SIGN;
    let m = select(r, wide_neg(r), negative);
    let side = (m.y << 2u) | (m.x >> 30u);
    let z = mul_high(side, side);
    let turn = quadrant + cosine;
    let sign = select(a & SIGN, 0u, cosine == 1u);
    if ((turn & 1u) == 1u) {
        var y = 0x000003E9u;
        y = 0x0000D366u - mul_high(y, z);
        y = 0x001E1F50u - mul_high(y, z);
        y = 0x02ABA790u - mul_high(y, z);
        y = 0x20783E10u - mul_high(y, z);
        y = 0x9DE9E64Eu - mul_high(y, z);
        let rest = SIGN - mul_high(y, z);
        let zeros = countLeadingZeros(rest);
        return pack(sign ^ ((turn >> 1u) << 31u), -i32(zeros), rest << zeros);
    }
    var y = 0x00001DD5u;
    y = 0x000541C7u - mul_high(y, z);
    y = 0x00996963u - mul_high(y, z);
    y = 0x0A335E34u - mul_high(y, z);
    y = 0x52AEF399u - mul_high(y, z);
    y = 0xC90FDAA2u - mul_high(y, z);
    let zeros = wide_zeros(m);
    let product = mul_wide(wide_shl(m, zeros).y, y);
    let lead = wide_zeros(product);
    let flip = (turn >> 1u) ^ u32(negative);
    return pack(sign ^ (flip << 31u), 2 - i32(zeros) - i32(lead), wide_shl(product, lead).y);
}

fn e_sin(a: u32) -> u32 {
    return circular(a, 0u);
}

fn e_cos(a: u32) -> u32 {
    return circular(a, 1u);
}
