// Where the sums of a block (convolve_block) come from and go to. `output` tells which output of the result is the one at x, y
// of a phase.

// The first row of outputs of an invocation, from the workgroup's first on.
fn first_row(l: vec2<u32>) -> u32 {
    return select(l.y, 4u * l.y, STRIP > 0u);
}

// The sum so far of one output.
fn resume(at: Place, phase: vec2<u32>, x: u32, y: u32, k: u32) -> T {
    let o = output(phase, x, y);
    if (o.x < p.out_x && o.y < p.out_y && k < p.kernels) {
        return recall(result_index(at, o.x, o.y, k));
    }
    return T();
}

// One vector of sums: over the kernels of a bank, or over neighbours in a row.
fn resume_vector(at: Place, phase: vec2<u32>, x: u32, y: u32, k: u32) -> V {
    let i = select(1u, 0u, BANK);
    let j = select(0u, 1u, BANK);
    return V(
        resume(at, phase, x, y, k),
        resume(at, phase, x + i, y, k + j),
        resume(at, phase, x + 2u * i, y, k + 2u * j),
        resume(at, phase, x + 3u * i, y, k + 3u * j),
    );
}

// All sums so far of an invocation whose first output is at x, y of a phase.
fn resume_sums(at: Place, phase: vec2<u32>, x: u32, y: u32, k: u32) -> Sums {
    let i = select(4u * STEP_X, 1u, BANK);
    let j = select(STEP_Y, 0u, BANK);
    return Sums(
        resume_vector(at, phase, x, y, k),
        resume_vector(at, phase, x + i, y + j, k),
        resume_vector(at, phase, x + 2u * i, y + 2u * j, k),
        resume_vector(at, phase, x + 3u * i, y + 3u * j, k),
    );
}

// Stores one vector of every invocation through the tile, so that neighbours store neighbouring outputs. `x`, `y` is the corner
// of what the workgroup stores.
fn store(v: V, li: u32, at: Place, phase: vec2<u32>, x: u32, y: u32, k: u32) {
    workgroupBarrier();
    tile[li] = v;
    workgroupBarrier();
    for (var i = 0u; i < 4u; i++) {
        let e = i * WX * WY + li;
        let o = output(phase, x + e % (4u * WX), y + first_row(vec2<u32>(0u, e / (4u * WX))));
        if (o.x < p.out_x && o.y < p.out_y && k < p.kernels) {
            keep(result_index(at, o.x, o.y, k), tile[e >> 2u][e & 3u]);
        }
    }
}

fn store_sums(s: Sums, li: u32, at: Place, phase: vec2<u32>, x: u32, y: u32, k: u32) {
    if (BANK) {
        store(V(s.a.x, s.b.x, s.c.x, s.d.x), li, at, phase, x, y, k);
        store(V(s.a.y, s.b.y, s.c.y, s.d.y), li, at, phase, x, y, k + 1u);
        store(V(s.a.z, s.b.z, s.c.z, s.d.z), li, at, phase, x, y, k + 2u);
        store(V(s.a.w, s.b.w, s.c.w, s.d.w), li, at, phase, x, y, k + 3u);
    } else {
        store(s.a, li, at, phase, x, y, k);
        store(s.b, li, at, phase, x + 4u * STEP_X, y + STEP_Y, k);
        store(s.c, li, at, phase, x + 8u * STEP_X, y + 2u * STEP_Y, k);
        store(s.d, li, at, phase, x + 12u * STEP_X, y + 3u * STEP_Y, k);
    }
}

// Puts the weights of `h` rows of `w` taps from tap dx, dy of a slab on into `taps`.
fn load_taps(at: Place, li: u32, slab: u32, dx: u32, dy: u32, w: u32, h: u32) {
    let row_weights = select((w + 3u) >> 2u, w, BANK);
    let row = (at.kernel_group * p.slabs + slab) * p.taps_y + dy;
    let first = row * p.row_weights + select(dx >> 2u, dx, BANK);
    for (var t = li; t < h * row_weights; t += WX * WY) {
        taps[t] = weights[first + (t / row_weights) * p.row_weights + t % row_weights];
    }
}
