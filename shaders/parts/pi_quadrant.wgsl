// Samples of points of the quadrant. Needs part pi_inside and the constant METHOD: 0 plain, 1 antithetic, 2 reflected,
// 3 stratified.

// The points inside of a sample that begins with (x, y), and 1 if there is no other.
fn count_sample(x: u32, y: u32) -> vec2<u32> {
    let a = inside(x, y);
    if (METHOD == 0u) {
        return vec2<u32>(a);
    }
    let b = inside(~x & MASK, ~y & MASK);
    if (METHOD == 1u) {
        return vec2<u32>(a + b, a & b);
    }
    let c = inside(~x & MASK, y);
    let d = inside(x, ~y & MASK);
    return vec2<u32>(a + b + c + d, a & b & c & d);
}

// A sample of two points in a cell.
fn count_pair(x: vec2<u32>, y: vec2<u32>) -> vec2<u32> {
    let a = inside(x.x, y.x);
    let b = inside(x.y, y.y);
    return vec2<u32>(a + b, a & b);
}

// The sample that is a word: its bytes are the coordinates within the cell.
fn count_bytes(word: u32, sample: u32) -> vec2<u32> {
    let x = vec2<u32>(word & 0xFFu, (word >> 16u) & 0xFFu) | vec2<u32>((sample & 0xFFu) << 8u);
    let y = vec2<u32>((word >> 8u) & 0xFFu, word >> 24u) | vec2<u32>(sample & 0xFF00u);
    return count_pair(x, y);
}

// The points inside among the samples of a block, and the samples that have no other.
fn count_block(c: vec4<u32>, low: u32) -> vec2<u32> {
    if (METHOD == 3u) {
        if (BITS == 16u) {
            let s = 4u * low;
            return count_bytes(c.x, s) + count_bytes(c.y, s + 1u) + count_bytes(c.z, s + 2u) + count_bytes(c.w, s + 3u);
        }
        let x = vec2<u32>((low & 0xFFu) << 24u) | (c.xz >> vec2<u32>(8u));
        let y = vec2<u32>((low & 0xFF00u) << 16u) | (c.yw >> vec2<u32>(8u));
        return count_pair(x, y);
    }
    if (BITS == 16u) {
        return count_sample(c.x & MASK, c.x >> 16u) + count_sample(c.y & MASK, c.y >> 16u)
            + count_sample(c.z & MASK, c.z >> 16u) + count_sample(c.w & MASK, c.w >> 16u);
    }
    return count_sample(c.x, c.y) + count_sample(c.z, c.w);
}
