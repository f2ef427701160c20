// Elements of an array in another order, some of them several times: element i of the result is that of a walk over axes. The
// array lies in segments; this takes what lies in one. An invocation makes a word of the result, or the two of an element.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

struct Params {
    // Of each axis, the innermost first: its length, where the walk begins, how far apart its elements are.
    axes: array<vec4<u32>, AXES>,
    rank: u32,
    count: u32,     // elements of the result
    base_low: u32,  // where element 0 of all axes lies, counted from the segment, modulo 2^64
    base_high: u32,
    len: u32,       // elements of the segment
    first: u32,     // the invocations of this dispatch
    end: u32,
    pad0: u32,
}

const PER: u32 = 4u / min(SIZE, 4u);

// Where an element of the result is in the segment; params.len or more if it is not there.
fn place(i: u32) -> u32 {
    var at = vec2<u32>(params.base_low, params.base_high);
    var rest = i;
    for (var d = 0u; d < params.rank; d += 1u) {
        let axis = params.axes[d];
        let v = rest + axis.y;
        rest = v / axis.x;
        let index = v - rest * axis.x;
        let step = mul_wide(index, axis.z);
        let low = at.x + step.x;
        at = vec2<u32>(low, at.y + step.y + index * axis.w + u32(low < step.x));
    }
    return select(at.x, 0xffffffffu, at.y != 0u);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) n: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let job = params.first + ((w.z * n.y + w.y) * n.x + w.x) * WG + t;
    if (job >= params.end) {
        return;
    }
    if (SIZE >= 4u) {
        let at = place(job);
        if (at < params.len) {
            if (SIZE == 8u) {
                out[2u * job] = x[2u * at];
                out[2u * job + 1u] = x[2u * at + 1u];
            } else {
                out[job] = x[at];
            }
        }
        return;
    }
    // What lies in other segments is there before, or comes after.
    var word = out[job];
    for (var k = 0u; k < PER; k += 1u) {
        let i = job * PER + k;
        if (i < params.count) {
            let at = place(i);
            if (at < params.len) {
                let bits = (x[at / PER] >> ((at % PER) * 8u * SIZE)) & MASK;
                word |= bits << (k * 8u * SIZE);
            }
        }
    }
    out[job] = word;
}
