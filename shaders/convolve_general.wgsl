// Direct convolution with any stride and dilation, for T = f32, i32, i64 or f64 (V = vec4<T>): image and weights are read
// where they lie.
//
// Every invocation keeps 16 sums and adds the taps to each in row-major order with one `madd` per tap. The sums are
//   BANK: 4 outputs, WX apart, for each of 4 kernels (the weights of a tap are one vector over the kernels);
//   else: 4 rows, WY apart, of such 4 outputs for one kernel (a vector of weights is 4 taps side by side).
override WX: u32;
override WY: u32;

struct Sums {
    a: V,
    b: V,
    c: V,
    d: V,
}

// A row of the image as a tap row reads it: the number of its first element, or the constant outside.
struct Row {
    base: u32,
    inside: bool,
    outside: T,
}

fn image_row(image_index: u32, k: u32, slab: u32, z: i32, y: i32, fill: V) -> Row {
    let at_z = source(z, p.image_z, p.boundary_z);
    let at_y = source(y, p.image_y, p.boundary_y);
    let base = row_base(image_index, k, slab, u32(max(at_z, 0)), u32(max(at_y, 0)));
    return Row(base, at_z >= 0 && at_y >= 0, select(fill.y, fill.z, at_z < 0));
}

fn element(row: Row, x: i32, fill: T) -> T {
    if (!row.inside) {
        return row.outside;
    }
    let i = source(x, p.image_x, p.boundary_x);
    if (i < 0) {
        return fill;
    }
    return load(row.base + u32(i) * p.image_parts);
}

fn four(row: Row, x: vec4<i32>, fill: T) -> V {
    return V(element(row, x.x, fill), element(row, x.y, fill), element(row, x.z, fill), element(row, x.w, fill));
}

fn has(x: u32, y: u32, k: u32) -> bool {
    return x < p.out_x && y < p.out_y && k < p.kernels;
}

fn resume(at: Place, x: u32, y: u32, k: u32) -> T {
    if (has(x, y, k)) {
        return recall(result_index(at, x, y, k));
    }
    return T();
}

fn store(at: Place, x: u32, y: u32, k: u32, value: T) {
    if (has(x, y, k)) {
        keep(result_index(at, x, y, k), value);
    }
}

// One vector of sums: over the kernels of a bank, or over the outputs of a row.
fn resume_vector(at: Place, x: u32, y: u32, k: u32) -> V {
    if (BANK) {
        return V(resume(at, x, y, k), resume(at, x, y, k + 1u), resume(at, x, y, k + 2u), resume(at, x, y, k + 3u));
    }
    return V(resume(at, x, y, k), resume(at, x + WX, y, k), resume(at, x + 2u * WX, y, k), resume(at, x + 3u * WX, y, k));
}

fn store_vector(at: Place, x: u32, y: u32, k: u32, v: V) {
    if (BANK) {
        store(at, x, y, k, v.x);
        store(at, x, y, k + 1u, v.y);
        store(at, x, y, k + 2u, v.z);
        store(at, x, y, k + 3u, v.w);
    } else {
        store(at, x, y, k, v.x);
        store(at, x + WX, y, k, v.y);
        store(at, x + 2u * WX, y, k, v.z);
        store(at, x + 3u * WX, y, k, v.w);
    }
}

fn convolve(id: u32, l: vec2<u32>) {
    let at = place(id);
    let x = at.tile_x * 4u * WX + l.x;
    var y = at.tile_y * WY + l.y;
    let k = select(at.kernel_group, 4u * at.kernel_group, BANK);
    // From one vector of sums to the next.
    var step = vec2<u32>(WX, 0u);
    if (!BANK) {
        y = at.tile_y * 4u * WY + l.y;
        step = vec2<u32>(0u, WY);
    }

    var s = Sums(V(), V(), V(), V());
    if (p.fresh == 0u) {
        s = Sums(
            resume_vector(at, x, y, k),
            resume_vector(at, x + step.x, y + step.y, k),
            resume_vector(at, x + 2u * step.x, y + 2u * step.y, k),
            resume_vector(at, x + 3u * step.x, y + 3u * step.y, k),
        );
    }

    let first_x = i32(x * p.stride_x) + p.start_x;
    let apart = i32(WX * p.stride_x);
    let xs = vec4<i32>(first_x, first_x + apart, first_x + 2 * apart, first_x + 3 * apart);
    let first_y = i32(y * p.stride_y) + p.start_y;
    let below = i32(WY * p.stride_y);
    let constants = weights[p.fill_at];
    var dx = p.block_first % p.taps_x;
    var tap_row = p.block_first / p.taps_x;
    var fill = constants;
    var a: Row;
    var b: Row;
    var c: Row;
    var d: Row;
    var moved = true;
    for (var tap = p.block_first; tap < p.block_end; tap++) {
        if (moved) {
            let slab = tap_row / p.taps_y;
            let z = depth_of(at.z, slab);
            let row_y = first_y + i32((tap_row % p.taps_y) * p.dilation_y);
            fill = constants;
            if (PARTS != 0u && part_of(at.image, slab) == 1u) {
                fill = weights[p.fill_at + 1u];
            }
            a = image_row(at.image, k, slab, z, row_y, fill);
            if (!BANK) {
                b = image_row(at.image, k, slab, z, row_y + below, fill);
                c = image_row(at.image, k, slab, z, row_y + 2 * below, fill);
                d = image_row(at.image, k, slab, z, row_y + 3 * below, fill);
            }
        }
        let here = xs + vec4<i32>(i32(dx * p.dilation_x));
        let values = four(a, here, fill.x);
        let weight_row = (at.kernel_group * p.slabs * p.taps_y + tap_row) * p.row_weights;
        if (BANK) {
            let w = weights[weight_row + dx];
            s = Sums(
                madd(V(values.x), w, s.a),
                madd(V(values.y), w, s.b),
                madd(V(values.z), w, s.c),
                madd(V(values.w), w, s.d),
            );
        } else {
            let w = V(weights[weight_row + (dx >> 2u)][dx & 3u]);
            s = Sums(
                madd(values, w, s.a),
                madd(four(b, here, fill.x), w, s.b),
                madd(four(c, here, fill.x), w, s.c),
                madd(four(d, here, fill.x), w, s.d),
            );
        }
        dx++;
        moved = dx == p.taps_x;
        if (moved) {
            dx = 0u;
            tap_row++;
        }
    }

    store_vector(at, x, y, k, s.a);
    store_vector(at, x + step.x, y + step.y, k, s.b);
    store_vector(at, x + 2u * step.x, y + 2u * step.y, k, s.c);
    store_vector(at, x + 3u * step.x, y + 3u * step.y, k, s.d);
}

@compute @workgroup_size(WX, WY)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_id) l: vec3<u32>,
) {
    let id = p.group_first + (group.z * grid.y + group.y) * grid.x + group.x;
    if (id < p.group_end) {
        convolve(id, l.xy);
    }
}
