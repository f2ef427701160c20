// Direct convolution, one output of one kernel per invocation, image and weights read where they lie: for small problems of
// any kind (then one text serves every dtype, see parts/convolve_any.wgsl), and for sums made of words with channels, strides
// or dilations.
override WX: u32;
override WY: u32;

fn extended(image_index: u32, k: u32, slab: u32, z: i32, y: i32, x: i32) -> Item {
    let at_z = source(z, p.image_z, p.boundary_z);
    let at_y = source(y, p.image_y, p.boundary_y);
    let at_x = source(x, p.image_x, p.boundary_x);
    if (at_z < 0 || at_y < 0 || at_x < 0) {
        let imaginary = PARTS != 0u && part_of(image_index, slab) == 1u;
        return outside(select(select(0u, 1u, at_y < 0), 2u, at_z < 0), u32(imaginary));
    }
    return item(row_base(image_index, k, slab, u32(at_z), u32(at_y)) + u32(at_x) * p.image_parts);
}

fn convolve(id: u32, l: vec2<u32>) {
    let at = place(id);
    let x = at.tile_x * WX + l.x;
    let y = at.tile_y * WY + l.y;
    if (x < p.out_x && y < p.out_y) {
        let index = result_index(at, x, y, at.kernel_group);
        var s = zero();
        if (p.fresh == 0u) {
            s = recall(index);
        }
        let first = vec2<i32>(i32(x * p.stride_x) + p.start_x, i32(y * p.stride_y) + p.start_y);
        for (var tap = p.block_first; tap < p.block_end; tap++) {
            let dx = tap % p.taps_x;
            let tap_row = tap / p.taps_x;
            let slab = tap_row / p.taps_y;
            let here = first + vec2<i32>(i32(dx * p.dilation_x), i32((tap_row % p.taps_y) * p.dilation_y));
            let value = extended(at.image, at.kernel_group, slab, depth_of(at.z, slab), here.y, here.x);
            s = add_tap(s, value, weight((at.kernel_group * p.slabs * p.taps_y + tap_row) * p.row_weights, dx));
        }
        keep(index, s);
    }
}

@compute @workgroup_size(WX, WY)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_id) l: vec3<u32>,
) {
    begin();
    let id = p.group_first + (group.z * grid.y + group.y) * grid.x + group.x;
    if (id < p.group_end) {
        convolve(id, l.xy);
    }
}
