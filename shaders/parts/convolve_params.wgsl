// What one dispatch of a convolution computes, and the boundary: shared by convolve.wgsl and convolve_wide.wgsl.
//
// The image block holds `images` boxes of image_z x image_y x image_x elements; the result is a dense array
// [images, kernels, out_z, out_y, out_x]. A workgroup makes one tile of one output plane for one group of kernels; it
// walks over the taps in row-major order, a block of tap rows (or a piece of one tap row) at a time.
struct Params {
    out_x: u32,
    out_y: u32,
    out_z: u32,
    kernels: u32,
    kernel_groups: u32,
    tiles_x: u32,
    tiles_y: u32,
    // Workgroups group_first..group_end of all, tap blocks block_first..block_end of all.
    group_first: u32,
    group_end: u32,
    block_first: u32,
    block_end: u32,
    // 1: the sums start at zero; 0: they continue what `result` holds.
    fresh: u32,
    image_x: u32,
    image_y: u32,
    image_z: u32,
    // The image block's first element in `image`.
    image_first: u32,
    start_x: i32,
    start_y: i32,
    start_z: i32,
    // The vector of `weights` that holds the values outside constant boundaries: along x, y, z. Where an element is
    // outside along several axes, the first of z, y, x decides.
    fill_at: u32,
    boundary_x: u32,
    boundary_y: u32,
    boundary_z: u32,
    // Elements of `weights` per tap row.
    row_weights: u32,
    taps_x: u32,
    taps_y: u32,
    taps_z: u32,
    // Elements of `tile` per tile row.
    pitch: u32,
    // Taps of a block, and blocks of the kernel, along x and y.
    block_x: u32,
    block_y: u32,
    blocks_x: u32,
    blocks_y: u32,
}

// Which tile of which plane, kernel group and image workgroup `id` makes.
struct Place {
    tile_x: u32,
    tile_y: u32,
    z: u32,
    kernel_group: u32,
    image: u32,
}

fn place(id: u32) -> Place {
    let row = id / p.tiles_x;
    let plane = row / p.tiles_y;
    let bank = plane / p.out_z;
    return Place(id % p.tiles_x, row % p.tiles_y, plane % p.out_z, bank % p.kernel_groups, bank / p.kernel_groups);
}

// The element of the result at x, y of a place's plane, for kernel `k`.
fn result_index(at: Place, x: u32, y: u32, k: u32) -> u32 {
    return (((at.image * p.kernels + k) * p.out_z + at.z) * p.out_y + y) * p.out_x + x;
}
