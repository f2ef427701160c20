// An integrand at samples, and its squares as binary64, exactly: `evaluate_sample(sample)` is generated, from expr_ parts
// joined in front.
override SIZE: u32 = 64u;

// Part philox, with `group` in the third word of the counter and 1 in the fourth.
fn words(block: vec2<u32>, group: u32) -> vec4<u32> {
    var c = vec4<u32>(block.x, block.y, group, 1u);
    c = philox_round(c, params.keys[0].xy);
    c = philox_round(c, params.keys[0].zw);
    c = philox_round(c, params.keys[1].xy);
    c = philox_round(c, params.keys[1].zw);
    c = philox_round(c, params.keys[2].xy);
    c = philox_round(c, params.keys[2].zw);
    c = philox_round(c, params.keys[3].xy);
    c = philox_round(c, params.keys[3].zw);
    c = philox_round(c, params.keys[4].xy);
    c = philox_round(c, params.keys[4].zw);
    return c;
}

// The middle of one of 2^23 cells: an odd number below 2^24 times 2^-24, exact.
fn fraction(word: u32) -> u32 {
    let odd = ((word >> 9u) << 1u) | 1u;
    let zeros = countLeadingZeros(odd);
    return pack(0u, 7 - i32(zeros), odd << zeros);
}

fn coordinate(word: u32, scale: u32) -> u32 {
    return e_add(value(scale), e_mul(value(scale + 1u), fraction(word)));
}

// Low word first.
fn square(a: u32) -> vec2<u32> {
    let magnitude = a & MAGNITUDE;
    if (magnitude >= INF) {
        return vec2<u32>(0u, select(0x7FF00000u, 0x7FF80000u, magnitude > INF));
    }
    if (magnitude == 0u) {
        return vec2<u32>(0u, 0u);
    }
    let x = significand(magnitude);
    let p = mul_wide(x.m, x.m);
    let zeros = wide_zeros(p);
    // 48 bits, and so fewer than the 53 of binary64.
    let m = wide_shl(p, zeros - 11u);
    return vec2<u32>(m.x, (m.y & 0xFFFFFu) | (u32(2 * x.s + 1086 - i32(zeros)) << 20u));
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = ((group.z * groups.y + group.y) * groups.x + group.x) * SIZE + local;
    if (at < params.count) {
        let sample = wide_add(params.first, vec2<u32>(at, 0u));
        let y = canonical(evaluate_sample(sample));
        results[params.place + at] = y;
        squares[params.place + at] = square(y);
    }
}
