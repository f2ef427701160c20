// Sums in 32-bit integers, modulo 2^32.
alias T = i32;
alias V = vec4<i32>;

@group(0) @binding(1) var<storage, read> weights: array<vec4<i32>>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
@group(0) @binding(3) var<uniform> p: Params;

fn madd(a: V, b: V, c: V) -> V {
    return a * b + c;
}

fn load(i: u32) -> T {
    return low(i);
}

fn keep(i: u32, value: T) {
    result[i] = bitcast<u32>(value);
}

fn recall(i: u32) -> T {
    return bitcast<i32>(result[i]);
}
