// Functions of binary64 on its bits: `src/expr/binary64.rs`, step by step. Needs double_arithmetic.
const EXP2_TABLE = array<vec2<u32>, 32>(
    vec2<u32>(0x00000000u, 0x80000000u), vec2<u32>(0xAC2BA1D7u, 0x82CD8698u), vec2<u32>(0xCC487B14u, 0x85AAC367u),
    vec2<u32>(0x92DA8527u, 0x88980E80u), vec2<u32>(0xEA8BD6E6u, 0x8B95C1E3u), vec2<u32>(0x45CD53C0u, 0x8EA4398Bu),
    vec2<u32>(0xAB11C336u, 0x91C3D373u), vec2<u32>(0xFEF70961u, 0x94F4EFA8u), vec2<u32>(0x8DB8A96Fu, 0x9837F051u),
    vec2<u32>(0xD54E5538u, 0x9B8D39B9u), vec2<u32>(0x91A111ADu, 0x9EF53260u), vec2<u32>(0x0C496818u, 0xA2704303u),
    vec2<u32>(0xB15138EAu, 0xA5FED6A9u), vec2<u32>(0xEA7C0EF8u, 0xA9A15AB4u), vec2<u32>(0x42A14AC6u, 0xAD583EEAu),
    vec2<u32>(0xD2AC258Fu, 0xB123F581u), vec2<u32>(0xF9DE6484u, 0xB504F333u), vec2<u32>(0x62FB9EE9u, 0xB8FBAF47u),
    vec2<u32>(0x580C36BEu, 0xBD08A39Fu), vec2<u32>(0x66709456u, 0xC12C4CCAu), vec2<u32>(0x5506DADDu, 0xC5672A11u),
    vec2<u32>(0x6E2F27A2u, 0xC9B9BD86u), vec2<u32>(0x1F8480E3u, 0xCE248C15u), vec2<u32>(0xF12AE45Au, 0xD2A81D91u),
    vec2<u32>(0xD69D6AF4u, 0xD744FCCAu), vec2<u32>(0xDAF23755u, 0xDBFBB797u), vec2<u32>(0x2A94E111u, 0xE0CCDEECu),
    vec2<u32>(0x7C8348A8u, 0xE5B906E7u), vec2<u32>(0xDD24392Eu, 0xEAC0C6E7u), vec2<u32>(0xDCDAF5CBu, 0xEFE4B99Bu),
    vec2<u32>(0x2486CC2Cu, 0xF5257D15u), vec2<u32>(0x722A033Au, 0xFA83B2DBu),
);

// The 64 bits above the lowest 64 of a << n; n below 128.
fn upper_of_left(a: vec4<u32>, n: u32) -> vec2<u32> {
    let b = select(a, vec4<u32>(0u, 0u, a.xy), n >= 64u);
    let m = n & 63u;
    let below = shift_right64(shift_right64(b.xy, 1u), 63u - m);
    return shift_left64(b.zw, m) | below;
}

// The lowest 96 bits of a >> n; n below 128.
fn shift_right128(a: vec4<u32>, n: u32) -> vec3<u32> {
    let b = select(a, vec4<u32>(a.zw, 0u, 0u), n >= 64u);
    let m = n & 63u;
    let above = shift_left64(shift_left64(b.zw, 1u), 63u - m);
    return vec3<u32>(shift_right64(b.xy, m) | above, shift_right64(b.zw, m).x);
}

fn leading_zeros128(a: vec4<u32>) -> u32 {
    return select(leading_zeros64(a.zw), 64u + leading_zeros64(vec2<u32>(a.x | 1u, a.y)), is_zero64(a.zw));
}

fn add96(a: vec3<u32>, b: vec3<u32>) -> vec3<u32> {
    let low = add64(a.xy, b.xy);
    return vec3<u32>(low, a.z + b.z + u32(is_less64(low, a.xy)));
}

fn negate96(a: vec3<u32>) -> vec3<u32> {
    return add96(~a, vec3<u32>(1u, 0u, 0u));
}

// 2 to the power of p 2^-(64 + shift), negated if `negative`.
fn d_exp2_scaled(p: vec4<u32>, shift: i32, negative: bool) -> vec2<u32> {
    let some = (p.x | p.y | p.z | p.w) != 0u;
    let magnitude = select(shift_right128(p, u32(clamp(shift, 0, 127))), vec3<u32>(0u, 0u, 8192u), shift < 40 && some);
    let t = select(magnitude, negate96(magnitude), negative);
    let entry = EXP2_TABLE[t.y >> 27u];
    let g = shift_left64(t.xy, 5u);
    var y = 0x1FFCu + mul_wide(0x16u, g.y).y;
    y = 0x00286122u + mul_wide(y, g.y).y;
    y = 0x2BB0FFCFu + mul_wide(y, g.y).y;
    var z = add64(vec2<u32>(0x6556DF74u, 0x00000027u), vec2<u32>(mul_wide(y, g.y).y, 0u));
    z = add64(vec2<u32>(0x08D704A0u, 0x00001C6Bu), mul_high64(z, g));
    z = add64(vec2<u32>(0xFFC162C7u, 0x000F5FDEu), mul_high64(z, g));
    z = add64(vec2<u32>(0xBE8E7BCDu, 0x058B90BFu), mul_high64(z, g));
    let m = add64(entry, mul_high64(entry, mul_high64(z, g)));
    return d_pack(0u, clamp(bitcast<i32>(t.z), -1200, 1200), m);
}

fn d_exp(a: vec2<u32>) -> vec2<u32> {
    let magnitude = d_magnitude(a);
    let x = d_significand(magnitude);
    let p = mul_whole64(x.m, vec2<u32>(0x5C17F0BBu, 0xB8AA3B29u));
    let more = add64(mul_wide(x.m.y, 0xBE87FED0u), vec2<u32>(mul_wide(x.m.x, 0xBE87FED0u).y, 0u));
    let low = add64(p.xy, more);
    let high = add64(p.zw, vec2<u32>(u32(is_less64(low, more)), 0u));
    return select(d_exp2_scaled(vec4<u32>(low, high), -1 - x.s, a.y >= D_SIGN), D_NAN, d_is_nan(magnitude));
}
