// The second half of the transforms of tiles, column by column, and with it the products with kernels' transforms and the
// first half of the way back. A workgroup takes LINES columns that lie side by side, so that rows of them are read together.
//
// STAGE 0: transforms only, of units * slabs tiles. 1: transforms, and products for a group of kernels (one slab). 2: products
// of tiles transformed before, summed over the slabs.
@group(0) @binding(0) var<storage, read> tiles: array<Z>;
@group(0) @binding(1) var<storage, read> spectra: array<Z>;
@group(0) @binding(2) var<storage, read> table: array<Z>;
@group(0) @binding(3) var<storage, read_write> sums: array<Z>;
@group(0) @binding(4) var<uniform> p: FftParams;

// Eight complex numbers, those at INVOCATIONS * i + li.
struct Eight {
    ra: V,
    rb: V,
    ia: V,
    ib: V,
}

fn eight(a: Z, b: Z, c: Z, d: Z, e: Z, f: Z, g: Z, h: Z) -> Eight {
    return Eight(V(a.x, b.x, c.x, d.x), V(e.x, f.x, g.x, h.x), V(a.y, b.y, c.y, d.y), V(e.y, f.y, g.y, h.y));
}

// Where number `e` of a strip is in workgroup memory: column by column.
fn slot(e: u32) -> u32 {
    return (e % LINES) * LENGTH + e / LINES;
}

// Its tile, and its place there.
fn place(strip: u32, e: u32) -> vec2<u32> {
    let column = strip * LINES + e % LINES;
    return vec2<u32>(column >> p.log_x, ((e / LINES) << p.log_x) + (column & ((1u << p.log_x) - 1u)));
}

// A number of slab `slab` of `slabs` of the tiles; 0 beyond the last one.
fn tile(strip: u32, e: u32, slab: u32, slabs: u32) -> Z {
    let at = place(strip, e);
    if (at.x >= p.units) {
        return Z();
    }
    return tiles[((at.x * slabs + slab) << (p.log_y + p.log_x)) + at.y];
}

fn spectrum(strip: u32, e: u32, tile: u32) -> Z {
    return spectra[(tile << (p.log_y + p.log_x)) + place(strip, e).y];
}

fn load_tiles(strip: u32, li: u32, slab: u32, slabs: u32) -> Eight {
    let n = INVOCATIONS;
    return eight(
        tile(strip, li, slab, slabs),
        tile(strip, li + n, slab, slabs),
        tile(strip, li + 2u * n, slab, slabs),
        tile(strip, li + 3u * n, slab, slabs),
        tile(strip, li + 4u * n, slab, slabs),
        tile(strip, li + 5u * n, slab, slabs),
        tile(strip, li + 6u * n, slab, slabs),
        tile(strip, li + 7u * n, slab, slabs),
    );
}

fn load_spectra(strip: u32, li: u32, t: u32) -> Eight {
    let n = INVOCATIONS;
    return eight(
        spectrum(strip, li, t),
        spectrum(strip, li + n, t),
        spectrum(strip, li + 2u * n, t),
        spectrum(strip, li + 3u * n, t),
        spectrum(strip, li + 4u * n, t),
        spectrum(strip, li + 5u * n, t),
        spectrum(strip, li + 6u * n, t),
        spectrum(strip, li + 7u * n, t),
    );
}

fn recall(li: u32) -> Eight {
    let n = INVOCATIONS;
    return eight(
        number(slot(li)),
        number(slot(li + n)),
        number(slot(li + 2u * n)),
        number(slot(li + 3u * n)),
        number(slot(li + 4u * n)),
        number(slot(li + 5u * n)),
        number(slot(li + 6u * n)),
        number(slot(li + 7u * n)),
    );
}

fn keep(li: u32, v: Eight) {
    let n = INVOCATIONS;
    put(slot(li), Z(v.ra.x, v.ia.x));
    put(slot(li + n), Z(v.ra.y, v.ia.y));
    put(slot(li + 2u * n), Z(v.ra.z, v.ia.z));
    put(slot(li + 3u * n), Z(v.ra.w, v.ia.w));
    put(slot(li + 4u * n), Z(v.rb.x, v.ib.x));
    put(slot(li + 5u * n), Z(v.rb.y, v.ib.y));
    put(slot(li + 6u * n), Z(v.rb.z, v.ib.z));
    put(slot(li + 7u * n), Z(v.rb.w, v.ib.w));
}

// sum + x · conj(w): a correlation.
fn product(sum: Eight, x: Eight, w: Eight) -> Eight {
    return Eight(
        sum.ra + (x.ra * w.ra + x.ia * w.ia),
        sum.rb + (x.rb * w.rb + x.ib * w.ib),
        sum.ia + (x.ia * w.ra - x.ra * w.ia),
        sum.ib + (x.ib * w.rb - x.rb * w.ib),
    );
}

// Transforms back: parts that change places, before and after, make the inverse of a transform.
fn back(li: u32, v: Eight) {
    workgroupBarrier();
    keep(li, Eight(v.ia, v.ib, v.ra, v.rb));
    workgroupBarrier();
    transform(li);
}

// Stores the rows that outputs need.
fn store(strip: u32, li: u32, kernel: u32) {
    for (var i = 0u; i < 8u; i++) {
        let e = i * INVOCATIONS + li;
        let at = place(strip, e);
        if (at.x < p.units && e / LINES < p.step_y) {
            sums[(((kernel * p.units + at.x) * p.step_y) << p.log_x) + at.y] = number(slot(e)).yx;
        }
    }
}

fn columns(id: u32, li: u32) {
    let strips = ((p.units << p.log_x) + LINES - 1u) / LINES;
    let strip = id % strips;
    if (STAGE != 2u) {
        keep(li, load_tiles(strip, li, 0u, 1u));
        workgroupBarrier();
        transform(li);
    }
    if (STAGE == 0u) {
        for (var i = 0u; i < 8u; i++) {
            let e = i * INVOCATIONS + li;
            let at = place(strip, e);
            if (at.x < p.units) {
                sums[(at.x << (p.log_y + p.log_x)) + at.y] = number(slot(e));
            }
        }
    } else {
        let first = (id / strips) * p.each;
        let end = min(first + p.each, p.kernels);
        let zero = Eight(V(), V(), V(), V());
        let slabs = p.slabs_z * p.slabs_y * p.slabs_x;
        var x = zero;
        if (STAGE == 1u) {
            x = recall(li);
        }
        for (var k = first; k < end; k++) {
            var sum = zero;
            if (STAGE == 1u) {
                sum = product(zero, x, load_spectra(strip, li, k));
            } else {
                for (var slab = 0u; slab < slabs; slab++) {
                    sum = product(sum, load_tiles(strip, li, slab, slabs), load_spectra(strip, li, k * slabs + slab));
                }
            }
            back(li, sum);
            store(strip, li, k);
        }
    }
}

@compute @workgroup_size(INVOCATIONS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) li: u32,
) {
    let id = (group.z * grid.y + group.y) * grid.x + group.x;
    if (id < p.groups) {
        columns(id, li);
    }
}
