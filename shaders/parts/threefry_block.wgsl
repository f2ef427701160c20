// The generator Threefry4x32-20 (Salmon et al., SC'11): additions, rotations and exclusive ors.

fn threefry_even(x: vec4<u32>, first: u32, second: u32) -> vec4<u32> {
    let a = x.x + x.y;
    let c = x.z + x.w;
    let b = ((x.y << first) | (x.y >> (32u - first))) ^ a;
    let d = ((x.w << second) | (x.w >> (32u - second))) ^ c;
    return vec4<u32>(a, b, c, d);
}

fn threefry_odd(x: vec4<u32>, first: u32, second: u32) -> vec4<u32> {
    let y = threefry_even(x.xwzy, first, second);
    return y.xwzy;
}

fn threefry_first4(x: vec4<u32>) -> vec4<u32> {
    return threefry_odd(threefry_even(threefry_odd(threefry_even(x, 10u, 26u), 11u, 21u), 13u, 27u), 23u, 5u);
}

fn threefry_next4(x: vec4<u32>) -> vec4<u32> {
    return threefry_odd(threefry_even(threefry_odd(threefry_even(x, 6u, 20u), 17u, 11u), 25u, 10u), 18u, 20u);
}

// The words of a counter under a key.
fn generate(counter: vec4<u32>, key: vec4<u32>) -> vec4<u32> {
    let parity = 0x1BD11BDAu ^ key.x ^ key.y ^ key.z ^ key.w;
    var x = threefry_first4(counter + key);
    x = threefry_next4(x + vec4<u32>(key.y, key.z, key.w, parity + 1u));
    x = threefry_first4(x + vec4<u32>(key.z, key.w, parity, key.x + 2u));
    x = threefry_next4(x + vec4<u32>(key.w, parity, key.x, key.y + 3u));
    x = threefry_first4(x + vec4<u32>(parity, key.x, key.y, key.z + 4u));
    return x + vec4<u32>(key.x, key.y, key.z, key.w + 5u);
}
