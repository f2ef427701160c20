// The 64-bit product of two words: (low, high). From 16-bit limbs: exact on every device.
fn mul_wide(a: u32, b: u32) -> vec2<u32> {
    let al = a & 0xFFFFu;
    let ah = a >> 16u;
    let bl = b & 0xFFFFu;
    let bh = b >> 16u;
    let t = ah * bl + ((al * bl) >> 16u);
    let u = al * bh + (t & 0xFFFFu);
    return vec2<u32>(a * b, ah * bh + (t >> 16u) + (u >> 16u));
}
