// One pass of a separable filter over an array [outer, length, inner], to [outer, outputs, inner], for T = f32 or f64
// (V = vec4<T>). Every sum takes the weights in their order with one `madd` each, whatever the layout.
//
// DOWN (long inner axes): an invocation makes 8 outputs one behind the other along the filtered axis, so that an element
// that is loaded serves all 8 of them; neighbours make neighbouring elements of the inner axes.
// Otherwise a workgroup makes 256 outputs that lie next to each other, an invocation 4 of them, 64 apart.
@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) li: u32,
) {
    begin();
    let id = p.group_first + (group.z * grid.y + group.y) * grid.x + group.x;
    if (id < p.group_end) {
        if (DOWN) {
            down(id * 64u + li);
        } else {
            along(id, li);
        }
    }
}

struct Params {
    length: u32,
    outputs: u32,
    inner: u32,
    outer: u32,
    // The array's first element in `image`.
    first: u32,
    // Where the first weight of output 0 reads.
    start: i32,
    boundary: u32,
    // The vector of `weights` whose first component is the value outside a constant boundary.
    fill_at: u32,
    // Weights tap_first..tap_end of all; 1: the sums start at zero, 0: they continue what `result` holds.
    tap_first: u32,
    tap_end: u32,
    fresh: u32,
    // Blocks of outputs per line (DOWN), or per row of the array.
    blocks: u32,
    // Workgroups group_first..group_end of all.
    group_first: u32,
    group_end: u32,
    // For the variant that serves all: the number of the elements' dtype; 1: DOWN.
    dtype: u32,
    down: u32,
}

fn weight(t: u32) -> V {
    return V(weights[t >> 2u][t & 3u]);
}

// Element `i` of the extended line whose first element is at `base`.
fn element(base: u32, i: i32) -> T {
    let j = source(i, p.length, p.boundary);
    if (j < 0) {
        return weights[p.fill_at].x;
    }
    return load(base + u32(j) * p.inner);
}

fn resume(i: u32, inside: bool) -> T {
    if (inside && p.fresh == 0u) {
        return recall(i);
    }
    return T();
}

fn down(id: u32) {
    let b = id % p.inner;
    let line = id / p.inner;
    let o = line / p.blocks;
    let at = (line % p.blocks) * 8u;
    if (o >= p.outer) {
        return;
    }
    let base = p.first + o * p.length * p.inner + b;
    let out = (o * p.outputs + at) * p.inner + b;
    let count = p.outputs - at;
    let n = p.inner;
    var low = V(resume(out, true), resume(out + n, count > 1u), resume(out + 2u * n, count > 2u), resume(out + 3u * n, count > 3u));
    var high = V(
        resume(out + 4u * n, count > 4u),
        resume(out + 5u * n, count > 5u),
        resume(out + 6u * n, count > 6u),
        resume(out + 7u * n, count > 7u),
    );
    var i = i32(at + p.tap_first) + p.start;
    var a = V(element(base, i), element(base, i + 1), element(base, i + 2), element(base, i + 3));
    var c = V(element(base, i + 4), element(base, i + 5), element(base, i + 6), element(base, i + 7));
    for (var t = p.tap_first; t < p.tap_end; t++) {
        let w = weight(t);
        low = madd(a, w, low);
        high = madd(c, w, high);
        a = V(a.yzw, c.x);
        c = V(c.yzw, element(base, i + 8));
        i++;
    }
    keep(out, low.x);
    if (count > 1u) {
        keep(out + n, low.y);
    }
    if (count > 2u) {
        keep(out + 2u * n, low.z);
    }
    if (count > 3u) {
        keep(out + 3u * n, low.w);
    }
    if (count > 4u) {
        keep(out + 4u * n, high.x);
    }
    if (count > 5u) {
        keep(out + 5u * n, high.y);
    }
    if (count > 6u) {
        keep(out + 6u * n, high.z);
    }
    if (count > 7u) {
        keep(out + 7u * n, high.w);
    }
}

fn along(id: u32, li: u32) {
    let o = id / p.blocks;
    let row = p.outputs * p.inner;
    // What lies behind the row's end is computed like its last element and not kept.
    let e = vec4<u32>((id % p.blocks) * 256u + li) + vec4<u32>(0u, 64u, 128u, 192u);
    let inside = e < vec4<u32>(row);
    let f = min(e, vec4<u32>(row - 1u));
    let column = vec4<i32>(f / p.inner) + p.start;
    let base = vec4<u32>(p.first + o * p.length * p.inner) + f % p.inner;
    let out = vec4<u32>(o * row) + f;
    var sum = V(
        resume(out.x, inside.x),
        resume(out.y, inside.y),
        resume(out.z, inside.z),
        resume(out.w, inside.w),
    );
    for (var t = p.tap_first; t < p.tap_end; t++) {
        let i = column + i32(t);
        let x = V(element(base.x, i.x), element(base.y, i.y), element(base.z, i.z), element(base.w, i.w));
        sum = madd(x, weight(t), sum);
    }
    if (inside.x) {
        keep(out.x, sum.x);
    }
    if (inside.y) {
        keep(out.y, sum.y);
    }
    if (inside.z) {
        keep(out.z, sum.z);
    }
    if (inside.w) {
        keep(out.w, sum.w);
    }
}
