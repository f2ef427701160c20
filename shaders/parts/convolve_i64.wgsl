// Sums in 64-bit integers, modulo 2^64, on devices that have them.
alias T = i64;
alias V = vec4<i64>;

@group(0) @binding(1) var<storage, read> weights: array<vec4<i64>>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
@group(0) @binding(3) var<uniform> p: Params;

fn madd(a: V, b: V, c: V) -> V {
    return a * b + c;
}

fn load(i: u32) -> T {
    // Through u64: the compiler sign-extends what goes from u32 to i64.
    return i64((u64(high(i)) << 32u) | u64(bitcast<u32>(low(i))));
}

fn keep(i: u32, value: T) {
    result[2u * i] = u32(value & 0xffffffffli);
    result[2u * i + 1u] = u32((value >> 32u) & 0xffffffffli);
}

fn recall(i: u32) -> T {
    return i64((u64(result[2u * i + 1u]) << 32u) | u64(result[2u * i]));
}
