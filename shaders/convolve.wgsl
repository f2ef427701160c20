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

fn output(phase: vec2<u32>, x: u32, y: u32) -> vec2<u32> {
    return vec2<u32>(x, y);
}

fn convolve(id: u32, l: vec2<u32>) {
    let at = place(id);
    let li = l.y * WX + l.x;
    let corner = vec2<u32>(at.tile_x * 4u * TILE_X, at.tile_y * TILE_Y);
    let k = select(at.kernel_group, 4u * at.kernel_group, BANK);
    let only = vec2<u32>(0u, 0u);
    var s = Sums(V(), V(), V(), V());
    if (p.fresh == 0u) {
        s = resume_sums(at, only, corner.x + 4u * l.x, corner.y + first_row(l), k);
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
        load_taps(at, li, slab, dx, dy, w, h);
        workgroupBarrier();
        s = add_block(s, l, h, w);
    }

    store_sums(s, li, at, only, corner.x, corner.y, k);
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
