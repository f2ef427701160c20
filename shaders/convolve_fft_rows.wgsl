// The first half of the transforms of tiles: packs the rows of two real tiles as a complex one, and transforms them.
@group(0) @binding(1) var<storage, read> table: array<Z>;
@group(0) @binding(2) var<storage, read_write> tiles: array<Z>;
@group(0) @binding(3) var<uniform> p: FftParams;

// What position x, y of a slab of a real tile reads.
fn element(image_index: u32, z: u32, tile: vec2<u32>, slab: vec2<u32>, at: vec2<u32>) -> T {
    let x = tile.x * p.step_x + slab.x * p.part_x + at.x;
    let y = tile.y * p.step_y + slab.y * p.part_y + at.y;
    let there = image_index < p.images && tile.x < p.real_x && tile.y < p.real_y;
    if (!there || at.x >= p.reach_x || at.y >= p.reach_y || x >= p.end_x || y >= p.end_y) {
        return T();
    }
    let sz = source(i32(z) + p.start_z, p.image_z, p.boundary_z);
    let sy = source(i32(y) + p.start_y, p.image_y, p.boundary_y);
    let sx = source(i32(x) + p.start_x, p.image_x, p.boundary_x);
    if (sz < 0) {
        return table[p.table_at + 2u].x;
    }
    if (sy < 0) {
        return table[p.table_at + 1u].x;
    }
    if (sx < 0) {
        return table[p.table_at].x;
    }
    let row = (image_index * p.image_z + u32(sz)) * p.image_y + u32(sy);
    return load(p.image_first + row * p.image_x + u32(sx));
}

fn pack(line: u32, x: u32) -> Z {
    let tile = line >> p.log_y;
    let slabs = p.slabs_z * p.slabs_y * p.slabs_x;
    if (tile >= p.units * slabs) {
        return Z();
    }
    let at = vec2<u32>(x, line & ((1u << p.log_y) - 1u));
    let slab = tile % slabs;
    let slab_row = slab / p.slabs_x;
    let unit = p.unit_first + tile / slabs;
    let row = unit / p.tiles_x;
    let plane = row / p.tiles_y;
    let part = vec2<u32>(slab % p.slabs_x, slab_row % p.slabs_y);
    let z = plane % p.depth + slab_row / p.slabs_y;
    let image_index = plane / p.depth;
    let place = vec2<u32>(unit % p.tiles_x, row % p.tiles_y);
    let a = element(image_index, z, place, part, at);
    if (p.pair_image + p.pair_y + p.pair_x == 0u) {
        return Z(a, T());
    }
    return Z(a, element(image_index + p.pair_image, z, place + vec2<u32>(p.pair_x, p.pair_y), part, at));
}

@compute @workgroup_size(INVOCATIONS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) li: u32,
) {
    let id = (group.z * grid.y + group.y) * grid.x + group.x;
    if (id < p.groups) {
        let first = id * LINES;
        for (var i = 0u; i < 8u; i++) {
            let e = i * INVOCATIONS + li;
            put(e, pack(first + e / LENGTH, e % LENGTH));
        }
        workgroupBarrier();
        transform(li);
        let count = (p.units * p.slabs_z * p.slabs_y * p.slabs_x) << p.log_y;
        for (var i = 0u; i < 8u; i++) {
            let e = i * INVOCATIONS + li;
            if (first + e / LENGTH < count) {
                tiles[first * LENGTH + e] = number(e);
            }
        }
    }
}
