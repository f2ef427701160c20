// Direct convolution with any stride and dilation from a tile in workgroup memory, for T = f32, i32, i64 or f64
// (V = vec4<T>): every invocation adds the taps to its sums in row-major order with one `madd` per tap.
//
// An element of the tile is what four outputs of one invocation, WX apart, read: whatever the stride and the dilation, a tap
// takes one load for them. Only positions that some tap can read are in the tile: every unit_x-th column and unit_y-th row.
// The sums are
//   BANK: 4 outputs, WX apart, for each of 4 SETS kernels (the weights of a tap are one vector over 4 kernels);
//   else: 4 rows, WY apart, of such 4 outputs for one kernel (a vector of weights is 4 taps side by side).
override WX: u32;
override WY: u32;
// Vectors in the tile and in the weights' block.
override TILE: u32;
override TAPS: u32;
// Groups of 4 kernels of an invocation: 1 or 2 (BANK).
override SETS: u32;

var<workgroup> tile: array<V, TILE>;
var<workgroup> taps: array<V, TAPS>;

struct Sums {
    a: V,
    b: V,
    c: V,
    d: V,
}

fn element(base: u32, x: i32, fill: T) -> T {
    let i = source(x, p.image_x, p.boundary_x);
    if (i < 0) {
        return fill;
    }
    return load(base + u32(i) * p.image_parts);
}

// Fills `rows` rows of `width` vectors of the tile with what a slab reads for real kernel `k`, from element `corner` of the
// extended image on.
fn load_tile(l: vec2<u32>, image_index: u32, k: u32, slab: u32, corner: vec3<i32>, rows: u32, width: u32) {
    var fill = weights[p.fill_at];
    if (PARTS != 0u && part_of(image_index, slab) == 1u) {
        fill = weights[p.fill_at + 1u];
    }
    let apart = WX * p.stride_x;
    let step = apart * p.image_parts;
    let z = source(corner.z, p.image_z, p.boundary_z);
    for (var r = l.y; r < rows; r += WY) {
        let y = source(corner.y + i32(r * p.unit_y), p.image_y, p.boundary_y);
        let inside = z >= 0 && y >= 0;
        let outside = select(fill.y, fill.z, z < 0);
        let base = row_base(image_index, k, slab, u32(max(z, 0)), u32(max(y, 0)));
        for (var q = l.x; q < width; q += WX) {
            let x = corner.x + i32(q * p.unit_x);
            var v = V(outside);
            if (inside) {
                if (x >= 0 && apart < p.image_x && u32(x) + 3u * apart < p.image_x) {
                    let i = base + u32(x) * p.image_parts;
                    v = V(load(i), load(i + step), load(i + 2u * step), load(i + 3u * step));
                } else {
                    let far = i32(apart);
                    v = V(
                        element(base, x, fill.x),
                        element(base, x + far, fill.x),
                        element(base, x + 2 * far, fill.x),
                        element(base, x + 3 * far, fill.x),
                    );
                }
            }
            tile[r * p.pitch + q] = v;
        }
    }
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

fn resume_sums(at: Place, x: u32, y: u32, k: u32) -> Sums {
    let i = select(0u, WX, BANK);
    let j = select(WY, 0u, BANK);
    return Sums(
        resume_vector(at, x, y, k),
        resume_vector(at, x + i, y + j, k),
        resume_vector(at, x + 2u * i, y + 2u * j, k),
        resume_vector(at, x + 3u * i, y + 3u * j, k),
    );
}

fn store_sums(s: Sums, at: Place, x: u32, y: u32, k: u32) {
    let i = select(0u, WX, BANK);
    let j = select(WY, 0u, BANK);
    store_vector(at, x, y, k, s.a);
    store_vector(at, x + i, y + j, k, s.b);
    store_vector(at, x + 2u * i, y + 2u * j, k, s.c);
    store_vector(at, x + 3u * i, y + 3u * j, k, s.d);
}

// One tap of four kernels, `w`, on the outputs that read `x`.
fn bank(s: Sums, w: V, x: V) -> Sums {
    return Sums(madd(V(x.x), w, s.a), madd(V(x.y), w, s.b), madd(V(x.z), w, s.c), madd(V(x.w), w, s.d));
}

fn convolve(id: u32, l: vec2<u32>) {
    let at = place(id);
    let li = l.y * WX + l.x;
    let rows = select(4u * WY, WY, BANK);
    let corner = vec2<u32>(at.tile_x * 4u * WX, at.tile_y * rows);
    let x = corner.x + l.x;
    let y = corner.y + l.y;
    let k = select(at.kernel_group, 4u * SETS * at.kernel_group, BANK);
    // Elements of the tile from one output to the next, and from one tap to the next.
    let apart = vec2<u32>(p.stride_x / p.unit_x, p.stride_y / p.unit_y);
    let next = vec2<u32>(p.dilation_x / p.unit_x, p.dilation_y / p.unit_y);

    var s = Sums(V(), V(), V(), V());
    var more = s;
    if (p.fresh == 0u) {
        s = resume_sums(at, x, y, k);
        if (SETS > 1u) {
            more = resume_sums(at, x, y, k + 4u);
        }
    }

    for (var block = p.block_first; block < p.block_end; block++) {
        let block_row = block / p.blocks_x;
        let dx = (block % p.blocks_x) * p.block_x;
        let dy = (block_row % p.blocks_y) * p.block_y;
        let slab = block_row / p.blocks_y;
        let w = min(p.block_x, p.taps_x - dx);
        let h = min(p.block_y, p.taps_y - dy);
        workgroupBarrier();
        let origin = vec3<i32>(
            i32(corner.x * p.stride_x + dx * p.dilation_x) + p.start_x,
            i32(corner.y * p.stride_y + dy * p.dilation_y) + p.start_y,
            depth_of(at.z, slab),
        );
        let high = (rows - 1u) * apart.y + (h - 1u) * next.y + 1u;
        let wide = (WX - 1u) * apart.x + (w - 1u) * next.x + 1u;
        load_tile(l, at.image, k, slab, origin, high, wide);
        // The weights of a tap row start within a vector.
        let lead = select(dx & 3u, 0u, BANK);
        let row_weights = select((lead + w + 3u) >> 2u, w, BANK);
        let first = select(dx >> 2u, dx, BANK) + (slab * p.taps_y + dy) * p.row_weights;
        let count = h * row_weights;
        for (var t = li; t < count * SETS; t += WX * WY) {
            let which = t / count;
            let tap = t % count;
            // The last invocations of a bank may have a group of kernels less.
            let group = min(at.kernel_group * SETS + which, select(p.kernels, (p.kernels + 3u) >> 2u, BANK) - 1u);
            let base = group * p.slabs * p.taps_y * p.row_weights + first;
            taps[t] = weights[base + (tap / row_weights) * p.row_weights + tap % row_weights];
        }
        workgroupBarrier();

        let below = WY * apart.y * p.pitch;
        for (var r = 0u; r < h; r++) {
            var i = (l.y * apart.y + r * next.y) * p.pitch + l.x * apart.x;
            var t = r * row_weights;
            if (BANK) {
                for (var c = 0u; c < w; c++) {
                    let v = tile[i];
                    s = bank(s, taps[t], v);
                    if (SETS > 1u) {
                        more = bank(more, taps[t + count], v);
                    }
                    i += next.x;
                    t++;
                }
            } else {
                for (var c = lead; c < lead + w; c++) {
                    let v = V(taps[t + (c >> 2u)][c & 3u]);
                    s = Sums(
                        madd(tile[i], v, s.a),
                        madd(tile[i + below], v, s.b),
                        madd(tile[i + 2u * below], v, s.c),
                        madd(tile[i + 3u * below], v, s.d),
                    );
                    i += next.x;
                }
            }
        }
    }

    store_sums(s, at, x, y, k);
    if (SETS > 1u) {
        store_sums(more, at, x, y, k + 4u);
    }
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
