// Sums in binary32. With INTEGER every partial sum is an integer below 2^24 and so exact, fused or not, and is kept as a
// 32-bit integer.
alias T = f32;
alias V = vec4<f32>;

@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
@group(0) @binding(3) var<uniform> p: Params;

fn madd(a: V, b: V, c: V) -> V {
    return fma(a, b, c);
}

fn load(i: u32) -> T {
    if (IMAGE == F32) {
        return bitcast<f32>(image[i]);
    }
    return f32(low(i));
}

fn keep(i: u32, value: T) {
    if (INTEGER) {
        result[i] = bitcast<u32>(i32(value));
    } else {
        result[i] = bitcast<u32>(value);
    }
}

fn recall(i: u32) -> T {
    if (INTEGER) {
        return f32(bitcast<i32>(result[i]));
    }
    return bitcast<f32>(result[i]);
}
