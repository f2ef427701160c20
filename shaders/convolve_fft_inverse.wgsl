// The last quarter of a convolution by Fourier transforms: transforms rows back, and parts two real tiles.
@group(0) @binding(0) var<storage, read> sums: array<Z>;
@group(0) @binding(1) var<storage, read> table: array<Z>;
@group(0) @binding(2) var<storage, read_write> result: array<T>;
@group(0) @binding(3) var<uniform> p: FftParams;

// Stores output x, y of a tile.
fn store(image_index: u32, kernel: u32, z: u32, tile: vec2<u32>, at: vec2<u32>, value: T) {
    let x = tile.x * p.step_x + at.x;
    let y = tile.y * p.step_y + at.y;
    if (image_index >= p.images || tile.x >= p.real_x || tile.y >= p.real_y || x >= p.out_x || y >= p.out_y) {
        return;
    }
    var v = value * table[p.table_at + kernel].x;
    if (p.round == 1u) {
        // Less than a quarter away from an integer.
        v = floor(v + T(0.5));
    }
    let plane = (image_index * p.all_kernels + p.kernel_first + kernel) * p.out_z + z;
    result[(plane * p.out_y + y) * p.out_x + x] = v;
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
        let count = p.kernels * p.units * p.step_y;
        for (var i = 0u; i < 8u; i++) {
            let e = i * INVOCATIONS + li;
            var v = Z();
            if (first + e / LENGTH < count) {
                v = sums[first * LENGTH + e].yx;
            }
            put(e, v);
        }
        workgroupBarrier();
        transform(li);
        for (var i = 0u; i < 8u; i++) {
            let e = i * INVOCATIONS + li;
            let line = first + e / LENGTH;
            let x = e % LENGTH;
            if (line < count && x < p.step_x) {
                let rest = line / p.step_y;
                let unit = p.unit_first + rest % p.units;
                let kernel = rest / p.units;
                let row = unit / p.tiles_x;
                let plane = row / p.tiles_y;
                let tile = vec2<u32>(unit % p.tiles_x, row % p.tiles_y);
                let at = vec2<u32>(x, line % p.step_y);
                let z = plane % p.depth;
                let image_index = plane / p.depth;
                // The parts have changed places.
                let v = number(e);
                store(image_index, kernel, z, tile, at, v.y);
                if (p.pair_image + p.pair_y + p.pair_x != 0u) {
                    let partner = tile + vec2<u32>(p.pair_x, p.pair_y);
                    store(image_index + p.pair_image, kernel, z, partner, at, v.x);
                }
            }
        }
    }
}
