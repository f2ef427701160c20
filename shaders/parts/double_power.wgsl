// Powers of binary64 on its bits: `src/expr/binary64.rs`, step by step. Needs double_functions.
const D_RECIPROCAL = array<u32, 32>(
    256u, 245u, 237u, 231u, 224u, 218u, 213u, 207u, 202u, 197u, 193u, 188u, 184u, 180u, 176u, 172u,
    169u, 165u, 162u, 159u, 156u, 153u, 150u, 148u, 145u, 142u, 140u, 138u, 135u, 133u, 131u, 128u,
);
const LOG2_TABLE = array<vec3<u32>, 32>(
    vec3<u32>(0x00000000u, 0x00000000u, 0x00000000u), vec3<u32>(0x85BE1CBBu, 0xCA869DA0u, 0x10387EFBu),
    vec3<u32>(0x1B273B9Eu, 0x70F1C4FAu, 0x1C7B528Bu), vec3<u32>(0x3A338411u, 0xB7FBA134u, 0x25F3C65Au),
    vec3<u32>(0xD536FC5Cu, 0x7F7A64CCu, 0x31513015u), vec3<u32>(0x8AE9C137u, 0xC883A5FCu, 0x3B5845A7u),
    vec3<u32>(0xBC0F6D0Bu, 0x12CD4421u, 0x43EA1201u), vec3<u32>(0xAD2F4711u, 0x567DBDFCu, 0x4E77A385u),
    vec3<u32>(0xB5B643A7u, 0xBAB83910u, 0x577F73C7u), vec3<u32>(0xEAC292D5u, 0x047F4CA8u, 0x60C13643u),
    vec3<u32>(0xC39974B3u, 0xA606CF5Eu, 0x6854BC50u), vec3<u32>(0x5762B11Au, 0x517F90E2u, 0x7206770Bu),
    vec3<u32>(0xED456B25u, 0x4E2ACD3Bu, 0x79F7D7F9u), vec3<u32>(0x9B39FFEFu, 0xD3E4C4C7u, 0x8215EA5Cu),
    vec3<u32>(0x050799BFu, 0x3457C407u, 0x8A62B07Fu), vec3<u32>(0xAE441C0Au, 0x1DF57D6Fu, 0x92E05023u),
    vec3<u32>(0x124BC6F2u, 0x8773432Du, 0x995FF71Bu), vec3<u32>(0x404CABB7u, 0x0413106Eu, 0xA238B516u),
    vec3<u32>(0x7FD3B7D8u, 0x10A5E181u, 0xA8FF9718u), vec3<u32>(0x3432EF6Bu, 0x93EEDA29u, 0xAFE6E713u),
    vec3<u32>(0xE91AD16Fu, 0xC7E319F6u, 0xB6EFE153u), vec3<u32>(0xF396598Bu, 0x3F3FDA43u, 0xBE1BD491u),
    vec3<u32>(0x169535FCu, 0x9B4D206Eu, 0xC56C2367u), vec3<u32>(0x3DC26880u, 0x9626D820u, 0xCA6143A4u),
    vec3<u32>(0x7FC60A51u, 0x21FB01ACu, 0xD1F17A56u), vec3<u32>(0x5C1A7F15u, 0x0EA3CBC1u, 0xD9AA2C3Bu),
    vec3<u32>(0xB087205Fu, 0x4B0C38D3u, 0xDEE74EE6u), vec3<u32>(0x4D3A591Bu, 0x5254459Cu, 0xE437BDBFu),
    vec3<u32>(0xFB2EEDE5u, 0xD80E3D27u, 0xEC55D022u), vec3<u32>(0x8383CB0Du, 0x7AAA5085u, 0xF1D902A3u),
    vec3<u32>(0x3F5D7D83u, 0x7665F689u, 0xF7719715u), vec3<u32>(0x00000000u, 0x00000000u, 0x00000000u),
);

fn log2_step(coefficient: vec2<u32>, step: vec2<u32>, below: bool) -> vec2<u32> {
    return add64(coefficient, select(negate64(step), step, below));
}

// m 2^(exponent - 63), negated if `negative`; the top bit of m is set, unless it is 0.
struct Logarithm64 {
    m: vec2<u32>,
    exponent: i32,
    negative: bool,
}

fn d_log2(magnitude: vec2<u32>) -> Logarithm64 {
    let x = d_significand(magnitude);
    let i = (x.m.y >> 15u) & 31u;
    let low = mul_wide(x.m.x, D_RECIPROCAL[i]);
    let r = vec2<u32>(low.x, low.y + x.m.y * D_RECIPROCAL[i] - (1u << 28u));
    let below = r.y >= D_SIGN;
    let a = select(r, negate64(r), below);
    let z = shift_left64(a, 9u);
    let direction = select(~0u, 0u, below);
    var short = 1u;
    short = 0x0000001Fu + (mul_wide(short, z.y).y ^ direction) - direction;
    short = 0x00000432u + (mul_wide(short, z.y).y ^ direction) - direction;
    short = 0x000093BBu + (mul_wide(short, z.y).y ^ direction) - direction;
    short = 0x001484B1u + (mul_wide(short, z.y).y ^ direction) - direction;
    short = 0x02E2A8EDu + (mul_wide(short, z.y).y ^ direction) - direction;
    short = 0x6985D8AAu + (mul_wide(short, z.y).y ^ direction) - direction;
    var y = log2_step(vec2<u32>(0x6384EE1Du, 0x0000000Fu), vec2<u32>(mul_wide(short, z.y).y, 0u), below);
    y = log2_step(vec2<u32>(0xED8A1DF3u, 0x0000024Eu), mul_high64(y, z), below);
    y = log2_step(vec2<u32>(0x1D94AE0Cu, 0x00005C55u), mul_high64(y, z), below);
    y = log2_step(vec2<u32>(0xEE1D01FFu, 0x000F6384u), mul_high64(y, z), below);
    y = log2_step(vec2<u32>(0xA5705FC3u, 0x02E2A8ECu), mul_high64(y, z), below);
    y = log2_step(vec2<u32>(0x5C17F0BCu, 0xB8AA3B29u), mul_high64(y, z), below);
    let product = mul_whole64(a, y);
    // These intervals are taken as halves: their logarithms, in -0.51..0, need the sign beside 96 bits.
    let halved = i >= 13u;
    let whole = x.s + 52 + i32(halved);
    // Near 1 nothing is added.
    let alone = whole == 0 && (i == 0u || i == 31u);
    let near = shift_right128(product, 27u);
    let rest = add96(LOG2_TABLE[i], select(near, negate96(near), below));
    let coarse = vec3<u32>(
        (rest.x >> 12u) | (rest.y << 20u),
        (rest.y >> 12u) | (rest.z << 20u),
        (rest.z >> 12u) | select(0u, 0xFFF00000u, halved),
    );
    let sum = add96(vec3<u32>(0u, 0u, bitcast<u32>(whole) << 20u), coarse);
    let value = select(sum, rest, whole == 0);
    let negative = select(value.z >= D_SIGN, halved, whole == 0);
    let m = select(vec4<u32>(0u, select(value, negate96(value), negative)), product, alone);
    let zeros = leading_zeros128(m);
    return Logarithm64(upper_of_left(m, zeros), select(select(11, -1, whole == 0), 4, alone) - i32(zeros), negative);
}

// The magnitude of a to the power of b.
fn d_pow(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let am = d_magnitude(a);
    let bm = d_magnitude(b);
    let one = am.x == 0u && am.y == D_ONE.y;
    let y = d_significand(bm);
    let x = d_log2(am);
    let power = d_exp2_scaled(mul_whole64(y.m, x.m), -(y.s + x.exponent + 1), x.negative != (b.y >= D_SIGN));
    let large = am.y > D_ONE.y || (am.y == D_ONE.y && am.x != 0u);
    let edge = vec2<u32>(0u, select(0u, D_TOP, large == (b.y < D_SIGN)));
    let number = select(power, edge, is_zero64(am) || am.y >= D_TOP || bm.y >= D_TOP);
    let any = select(number, D_NAN, d_is_nan(am) || d_is_nan(bm));
    return select(any, D_ONE, one || is_zero64(bm));
}

// `norm_term`: of the orders 3 and 4 by products.
fn d_norm_term(a: vec2<u32>, p: vec2<u32>) -> vec2<u32> {
    let magnitude = d_magnitude(a);
    var term = magnitude;
    if (p.x == 0u && (p.y == 0x40080000u || p.y == 0x40100000u)) {
        let square = d_mul(magnitude, magnitude);
        term = d_mul(square, select(square, magnitude, p.y == 0x40080000u));
    } else {
        term = d_pow(a, p);
    }
    return term;
}
