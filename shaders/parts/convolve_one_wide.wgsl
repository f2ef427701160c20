// One element, weight and sum at a time, for sums made of 32-bit words. Elements and weights are pairs of words.
@group(0) @binding(1) var<storage, read> weights: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
@group(0) @binding(3) var<uniform> p: Params;

alias Item = vec2<u32>;

fn item(i: u32) -> vec2<u32> {
    return vec2<u32>(bitcast<u32>(low(i)), high(i));
}

// The value outside along an axis, of one part of complex ones.
fn outside(axis: u32, part: u32) -> vec2<u32> {
    return weights[p.fill_at + 4u * part + axis];
}

fn weight(row: u32, x: u32) -> vec2<u32> {
    return weights[row + x];
}

fn add_tap(s: Sum, x: vec2<u32>, w: vec2<u32>) -> Sum {
    return madd(s, x, w);
}
