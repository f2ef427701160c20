// Two operands: elements, and bytes that say which of them count.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

fn word(i: u32) -> u32 {
    return x[i];
}

fn push_at(i: u32, r: u32) {
    let m = i + params.second;
    if (((mask[m >> 2u] >> ((m & 3u) << 3u)) & 255u) != 0u) {
        acc_push(element(i), r);
    }
}
