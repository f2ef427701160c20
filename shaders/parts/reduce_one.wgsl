// One operand.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> state: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

fn word(i: u32) -> u32 {
    return x[i];
}

fn push_at(i: u32, r: u32) {
    acc_push(element(i), r);
}
