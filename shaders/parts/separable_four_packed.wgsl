// Four neighbouring elements of 8 or 16 bits, from two or three words.
fn pair(i: u32, w: u32) -> u32 {
    let shift = 8u * i;
    if (shift == 0u) {
        return image[w];
    }
    return (image[w] >> shift) | (image[w + 1u] << (32u - shift));
}

fn load_four(i: u32) -> V {
    if (IMAGE == BOOL || IMAGE == U8) {
        let b = pair(i & 3u, i >> 2u);
        return V(T(b & 0xffu), T((b >> 8u) & 0xffu), T((b >> 16u) & 0xffu), T(b >> 24u));
    }
    if (IMAGE == I8) {
        let b = bitcast<i32>(pair(i & 3u, i >> 2u));
        return V(T((b << 24u) >> 24u), T((b << 16u) >> 24u), T((b << 8u) >> 24u), T(b >> 24u));
    }
    let w = i >> 1u;
    let a = pair(2u * (i & 1u), w);
    let b = pair(2u * (i & 1u), w + 1u);
    if (IMAGE == U16) {
        return V(T(a & 0xffffu), T(a >> 16u), T(b & 0xffffu), T(b >> 16u));
    }
    let x = bitcast<i32>(a);
    let y = bitcast<i32>(b);
    return V(T((x << 16u) >> 16u), T(x >> 16u), T((y << 16u) >> 16u), T(y >> 16u));
}
