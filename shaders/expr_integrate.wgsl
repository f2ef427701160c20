// An integrand at samples, and its squares as binary64, exactly: `evaluate_sample(sample)` is generated, from expr_ parts
// joined in front.
override SIZE: u32 = 64u;

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
