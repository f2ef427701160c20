// Two operands of one dtype, element by element.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> y: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

var<private> of_second: bool;

fn word(i: u32) -> u32 {
    if (of_second) {
        return y[i];
    }
    return x[i];
}

fn push_at(i: u32, r: u32) {
    of_second = false;
    let a = element(i);
    of_second = true;
    push_product(a, element(i + params.second));
}
