// Direct convolution from a tile in workgroup memory: every invocation keeps 16 sums (parts/convolve_block.wgsl) and adds
// the taps in row-major order, whatever the tile, slice or device.
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
    let step = p.image_parts;
    let z = source(corner.z, p.image_z, p.boundary_z);
    for (var r = l.y; r < rows; r += WY) {
        let y = source(corner.y + i32(r), p.image_y, p.boundary_y);
        let inside = z >= 0 && y >= 0;
        let outside = select(fill.y, fill.z, z < 0);
        let base = row_base(image_index, k, slab, u32(max(z, 0)), u32(max(y, 0)));
        for (var q = l.x; q < width; q += WX) {
            let x = corner.x + 4 * i32(q);
            var v = V(outside);
            if (inside) {
                if (x >= 0 && x + 3 < i32(p.image_x)) {
                    let i = base + u32(x) * step;
                    v = V(load(i), load(i + step), load(i + 2u * step), load(i + 3u * step));
                } else {
                    v = V(
                        element(base, x, fill.x),
                        element(base, x + 1, fill.x),
                        element(base, x + 2, fill.x),
                        element(base, x + 3, fill.x),
                    );
                }
            }
            tile[r * p.pitch + q] = v;
        }
    }
}

// The sum so far of one output.
fn resume(at: Place, x: u32, y: u32, k: u32) -> T {
    if (x < p.out_x && y < p.out_y && k < p.kernels) {
        return recall(result_index(at, x, y, k));
    }
    return T();
}

fn resume_quad(at: Place, x: u32, y: u32, k: u32) -> V {
    return V(resume(at, x, y, k), resume(at, x + 1u, y, k), resume(at, x + 2u, y, k), resume(at, x + 3u, y, k));
}

fn resume_bank(at: Place, x: u32, y: u32, k: u32) -> V {
    return V(resume(at, x, y, k), resume(at, x, y, k + 1u), resume(at, x, y, k + 2u), resume(at, x, y, k + 3u));
}

// Stores one vector of every invocation, through the tile so that neighbours store neighbouring elements. `x`, `y` is
// the corner of what the workgroup stores.
fn store(v: V, li: u32, at: Place, x: u32, y: u32, k: u32) {
    workgroupBarrier();
    tile[li] = v;
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
        let e = i * WX * WY + li;
        let ex = x + e % (4u * WX);
        let ey = y + e / (4u * WX);
        if (ex < p.out_x && ey < p.out_y && k < p.kernels) {
            keep(result_index(at, ex, ey, k), tile[e >> 2u][e & 3u]);
        }
    }
}

fn convolve(id: u32, l: vec2<u32>) {
    let at = place(id);
    let li = l.y * WX + l.x;
    let corner = vec2<u32>(at.tile_x * 4u * TILE_X, at.tile_y * TILE_Y);
    let x = corner.x + 4u * l.x;
    let y = corner.y + l.y;
    let k = select(at.kernel_group, 4u * at.kernel_group, BANK);

    var s = Sums(V(), V(), V(), V());
    if (p.fresh == 0u) {
        if (BANK) {
            s = Sums(
                resume_bank(at, x, y, k),
                resume_bank(at, x + 1u, y, k),
                resume_bank(at, x + 2u, y, k),
                resume_bank(at, x + 3u, y, k),
            );
        } else {
            s = Sums(
                resume_quad(at, x, y, k),
                resume_quad(at, x + 4u * STEP_X, y + STEP_Y, k),
                resume_quad(at, x + 8u * STEP_X, y + 2u * STEP_Y, k),
                resume_quad(at, x + 12u * STEP_X, y + 3u * STEP_Y, k),
            );
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
            i32(corner.x + dx) + p.start_x,
            i32(corner.y + dy) + p.start_y,
            depth_of(at.z, slab),
        );
        load_tile(l, at.image, k, slab, origin, TILE_Y + h - 1u, TILE_X + ((w + 2u) >> 2u));
        var row_weights = w;
        var first = dx;
        if (!BANK) {
            row_weights = (w + 3u) >> 2u;
            first = dx >> 2u;
        }
        first += ((at.kernel_group * p.slabs + slab) * p.taps_y + dy) * p.row_weights;
        for (var t = li; t < h * row_weights; t += WX * WY) {
            taps[t] = weights[first + (t / row_weights) * p.row_weights + t % row_weights];
        }
        workgroupBarrier();

        s = add_block(s, l, h, w);
    }

    if (BANK) {
        store(V(s.a.x, s.b.x, s.c.x, s.d.x), li, at, corner.x, corner.y, k);
        store(V(s.a.y, s.b.y, s.c.y, s.d.y), li, at, corner.x, corner.y, k + 1u);
        store(V(s.a.z, s.b.z, s.c.z, s.d.z), li, at, corner.x, corner.y, k + 2u);
        store(V(s.a.w, s.b.w, s.c.w, s.d.w), li, at, corner.x, corner.y, k + 3u);
    } else {
        store(s.a, li, at, corner.x, corner.y, k);
        store(s.b, li, at, corner.x + 4u * STEP_X, corner.y + STEP_Y, k);
        store(s.c, li, at, corner.x + 8u * STEP_X, corner.y + 2u * STEP_Y, k);
        store(s.d, li, at, corner.x + 12u * STEP_X, corner.y + 3u * STEP_Y, k);
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
