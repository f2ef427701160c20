// Philox4x32-10 (Salmon et al., SC'11). Needs `mul_wide`: part mul_wide_u64 or mul_wide_u32.
const PHILOX_M0 = 0xD2511F53u;
const PHILOX_M1 = 0xCD9E8D57u;

// `key` is the round's key: the first one plus the round times (0x9E3779B9, 0xBB67AE85).
fn philox_round(c: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    let p0 = mul_wide(PHILOX_M0, c.x);
    let p1 = mul_wide(PHILOX_M1, c.z);
    return vec4<u32>(p1.y ^ c.y ^ key.x, p1.x, p0.y ^ c.w ^ key.y, p0.x);
}
