// Sums in binary64, on devices that have it.
alias T = f64;
alias V = vec4<f64>;

@group(0) @binding(1) var<storage, read> weights: array<vec4<f64>>;
@group(0) @binding(2) var<storage, read_write> result: array<f64>;
@group(0) @binding(3) var<uniform> p: Params;

fn madd(a: V, b: V, c: V) -> V {
    return fma(a, b, c);
}

fn keep(i: u32, value: T) {
    result[i] = value;
}

fn recall(i: u32) -> T {
    return result[i];
}
