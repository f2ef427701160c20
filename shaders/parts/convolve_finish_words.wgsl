// What every shader does that turns sums into results: the bindings, and elements of the result's dtype (number OUT) packed
// into words. `narrow` gives an element of up to 32 bits, `wide` one of 64.
@group(0) @binding(0) var<storage, read> raw: array<u32>;
@group(0) @binding(1) var<storage, read_write> result: array<u32>;
@group(0) @binding(2) var<storage, read_write> overflow: atomic<u32>;
@group(0) @binding(3) var<uniform> p: FinishParams;

struct FinishParams {
    // Invocations first..end are to run; the result has `count` elements.
    first: u32,
    end: u32,
    count: u32,
    // Of bit 0 of exact float sums.
    exponent: i32,
    // What the sums are, the number of the result's dtype and what becomes of integers that it does not hold: for the
    // variants that serve all.
    raw: u32,
    out: u32,
    policy: u32,
    unused: u32,
}

const BOOL: u32 = 0u;
const U8: u32 = 1u;
const I8: u32 = 2u;
const U16: u32 = 3u;
const I16: u32 = 4u;
const U32: u32 = 5u;
const I32: u32 = 6u;
const U64: u32 = 7u;
const I64: u32 = 8u;
const F32: u32 = 9u;
const F64: u32 = 10u;

// The largest magnitude with this sign of an integer of OUT's `bits` bits (up to 32).
fn narrow_limit(bits: u32, negative: bool) -> u32 {
    let signed = OUT == I8 || OUT == I16 || OUT == I32;
    let mask = 0xffffffffu >> (32u - bits);
    let most = select(mask, mask >> 1u, signed);
    return select(most, select(0u, most + 1u, signed), negative);
}

// The same of 64 bits: low, high.
fn wide_limit(negative: bool) -> vec2<u32> {
    let signed = OUT == I64;
    let most = vec2<u32>(0xffffffffu, select(0xffffffffu, 0x7fffffffu, signed));
    return select(most, vec2<u32>(0u, select(0u, 0x80000000u, signed)), negative);
}

fn negated(m: vec2<u32>) -> vec2<u32> {
    return vec2<u32>(0u - m.x, ~m.y + u32(m.x == 0u));
}

// Elements of the result in a word.
fn per_word() -> u32 {
    if (OUT == BOOL || OUT == U8 || OUT == I8) {
        return 4u;
    }
    return select(1u, 2u, OUT == U16 || OUT == I16);
}

fn write(i: u32) {
    if (OUT == U64 || OUT == I64 || OUT == F64) {
        let v = wide(i);
        result[2u * i] = v.x;
        result[2u * i + 1u] = v.y;
        return;
    }
    let per = per_word();
    var packed = 0u;
    for (var j = 0u; j < per; j++) {
        let e = i * per + j;
        if (e < p.count) {
            packed |= narrow(e) << (j * (32u / per));
        }
    }
    result[i] = packed;
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) li: u32,
) {
    begin();
    let i = p.first + ((group.z * grid.y + group.y) * grid.x + group.x) * 128u + li;
    if (i < p.end) {
        write(i);
    }
}
