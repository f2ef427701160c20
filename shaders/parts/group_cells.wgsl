// An element counts for the bin of its value among those of its group. Bins lie between thresholds. Needs element.
@group(0) @binding(2) var<storage, read> values: array<u32>;

fn word(i: u32) -> u32 {
    return values[i];
}

// The order key of a value, the same 64 bits as on the host.
fn value_key(e: vec2<u32>) -> vec2<u32> {
    if (FLOAT) {
        if (WIDE) {
            return select(vec2<u32>(e.x, e.y | 0x80000000u), ~e, vec2<bool>((e.y >> 31u) == 1u));
        }
        return vec2<u32>(select(e.x | 0x80000000u, ~e.x, (e.x >> 31u) == 1u), 0u);
    }
    let high = select(e.y, u32(i32(e.x) >> 31u), SIGNED && !WIDE);
    return vec2<u32>(e.x, high ^ select(0u, 0x80000000u, SIGNED));
}

fn count_of(i: u32) -> u32 {
    let group = group_of(order_key(params.keys_first + i));
    let k = value_key(element(params.values_first + i));
    let cell = thresholds_below(k, params.thresholds, params.cell_thresholds) - 1u;
    // Of a list the thresholds are all there is.
    let listed = thresholds[params.thresholds + min(cell, params.cell_thresholds - 1u)];
    let between = CELLS_LISTED && any(listed != k);
    let beyond = cell >= params.cells || exceeds(k, vec2<u32>(params.cells_last_lo, params.cells_last_hi));
    let outside = between || beyond || group >= params.groups;
    return select(group * params.cells + cell, 0xffffffffu, outside);
}
