// Fast FIR filters: every plane of differences (convolve_planes.wgsl) with a kernel of its own, of half the taps along
// FIR_Y and FIR_X, and the sums together for the outputs of even and of odd index.
//
// Planes are what channels are to the direct convolution, and its tiles, blocks and sums (parts/convolve_block.wgsl) are
// those of one phase of outputs. With m the sums of the three planes along an axis, outputs of even index are m0 + m1, those
// of odd index m1 - m2.

// The sums of outputs of even and odd index: along y, along x.
struct Phases {
    ee: Sums,
    eo: Sums,
    oe: Sums,
    oo: Sums,
}

// What plane 0, 1 or 2 along an axis counts for outputs of even and of odd index.
fn sign_of(plane: u32) -> vec2<i32> {
    return vec2<i32>(select(1, 0, plane == 2u), select(select(0, 1, plane == 1u), -1, plane == 2u));
}

fn add(a: Sums, s: Sums, sign: i32) -> Sums {
    if (sign > 0) {
        return Sums(a.a + s.a, a.b + s.b, a.c + s.c, a.d + s.d);
    }
    if (sign < 0) {
        return Sums(a.a - s.a, a.b - s.b, a.c - s.c, a.d - s.d);
    }
    return a;
}

fn combine(phases: Phases, s: Sums, plane: u32) -> Phases {
    let y = sign_of(select(0u, select(plane, plane / 3u, FIR_X), FIR_Y));
    let x = sign_of(select(0u, plane % 3u, FIR_X));
    return Phases(
        add(phases.ee, s, y.x * x.x),
        add(phases.eo, s, y.x * x.y),
        add(phases.oe, s, y.y * x.x),
        add(phases.oo, s, y.y * x.y),
    );
}

// Fills `rows` rows of `width` vectors of the tile from a plane; beyond it, with 0.
fn load_tile(l: vec2<u32>, base: u32, corner: vec2<u32>, rows: u32, width: u32) {
    for (var r = l.y; r < rows; r += WY) {
        let y = corner.y + r;
        let row = base + y * p.image_x;
        for (var q = l.x; q < width; q += WX) {
            let x = corner.x + 4u * q;
            var v = V();
            if (y < p.image_y) {
                if (x + 3u < p.image_x) {
                    v = V(load(row + x), load(row + x + 1u), load(row + x + 2u), load(row + x + 3u));
                } else {
                    if (x < p.image_x) {
                        v.x = load(row + x);
                    }
                    if (x + 1u < p.image_x) {
                        v.y = load(row + x + 1u);
                    }
                    if (x + 2u < p.image_x) {
                        v.z = load(row + x + 2u);
                    }
                }
            }
            tile[r * p.pitch + q] = v;
        }
    }
}

// The output at x, y of a phase. (No constant vector: naga 30 cannot compile one beside arrays with `override` lengths.)
fn output(phase: vec2<u32>, x: u32, y: u32) -> vec2<u32> {
    return vec2<u32>(select(x, 2u * x, FIR_X), select(y, 2u * y, FIR_Y)) + phase;
}

fn convolve(id: u32, l: vec2<u32>) {
    let at = place(id);
    let li = l.y * WX + l.x;
    let corner = vec2<u32>(at.tile_x * 4u * TILE_X, at.tile_y * TILE_Y);
    let x = corner.x + 4u * l.x;
    let y = corner.y + first_row(l);
    let k = select(at.kernel_group, 4u * at.kernel_group, BANK);
    let zero = Sums(V(), V(), V(), V());
    var phases = Phases(zero, zero, zero, zero);
    if (p.fresh == 0u) {
        phases.ee = resume_sums(at, vec2<u32>(0u, 0u), x, y, k);
        if (FIR_X) {
            phases.eo = resume_sums(at, vec2<u32>(1u, 0u), x, y, k);
        }
        if (FIR_Y) {
            phases.oe = resume_sums(at, vec2<u32>(0u, 1u), x, y, k);
        }
        if (FIR_X && FIR_Y) {
            phases.oo = resume_sums(at, vec2<u32>(1u, 1u), x, y, k);
        }
    }

    let blocks = p.blocks_x * p.blocks_y * p.taps_z;
    var s = zero;
    for (var block = p.block_first; block < p.block_end; block++) {
        let block_row = block / p.blocks_x;
        let dx = (block % p.blocks_x) * p.block_x;
        let dy = (block_row % p.blocks_y) * p.block_y;
        let slab = block_row / p.blocks_y;
        let w = min(p.block_x, p.taps_x - dx);
        let h = min(p.block_y, p.taps_y - dy);
        workgroupBarrier();
        let base = row_base(at.image, k, slab, at.z + slab % p.taps_z, 0u);
        load_tile(l, base, corner + vec2<u32>(dx, dy), TILE_Y + h - 1u, TILE_X + ((w + 2u) >> 2u));
        load_taps(at, li, slab, dx, dy, w, h);
        workgroupBarrier();
        s = add_block(s, l, h, w);
        // The last block of a plane, or of this dispatch.
        if ((block + 1u) % blocks == 0u || block + 1u == p.block_end) {
            phases = combine(phases, s, block / blocks);
            s = zero;
        }
    }

    store_sums(phases.ee, li, at, vec2<u32>(0u, 0u), corner.x, corner.y, k);
    if (FIR_X) {
        store_sums(phases.eo, li, at, vec2<u32>(1u, 0u), corner.x, corner.y, k);
    }
    if (FIR_Y) {
        store_sums(phases.oe, li, at, vec2<u32>(0u, 1u), corner.x, corner.y, k);
    }
    if (FIR_X && FIR_Y) {
        store_sums(phases.oo, li, at, vec2<u32>(1u, 1u), corner.x, corner.y, k);
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
