// What one dispatch of a convolution computes, and the boundary: shared by all convolve shaders.
//
// The image block holds `planes` boxes of image_z x image_y x image_x elements for each image; the result is a dense array
// [images, kernels, out_z, out_y, out_x]. Complex elements are pairs; PARTS says what the two of a result come from: 0 (a
// real result), 1 (image 2n + part), 2 (kernel 2k + part). A slab is a channel with a tap of depth. A workgroup makes one tile of one output plane for one group of kernels; it
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
    stride_x: u32,
    stride_y: u32,
    stride_z: u32,
    dilation_x: u32,
    dilation_y: u32,
    dilation_z: u32,
    // Positions of the image from one element of the tile to the next (convolve_general.wgsl).
    unit_x: u32,
    unit_y: u32,
    // Real channels of a sum times taps_z.
    slabs: u32,
    // Channels of a group, and of an image.
    channels: u32,
    planes: u32,
    // Numbers of an element, and how many of them are channels of one sum.
    image_parts: u32,
    channel_parts: u32,
    // The first kernel's index in the bank, kernels of a group, and real kernels for each.
    kernel_first: u32,
    group_kernels: u32,
    kernel_parts: u32,
    // For the variants that serve all (parts/convolve_any.wgsl): the number of the images' dtype; and PARTS, with 4 for
    // integers in floats, 8 for signed images, 16 for signed kernels, 32 X_LONG and 128 W_LONG.
    dtype: u32,
    kind: u32,
    unused_a: u32,
    unused_b: u32,
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

// The number of the result at x, y of a place's plane, for real kernel `k`.
fn result_index(at: Place, x: u32, y: u32, k: u32) -> u32 {
    if (PARTS == 1u) {
        return 2u * (((((at.image >> 1u) * p.kernels + k) * p.out_z + at.z) * p.out_y + y) * p.out_x + x) + (at.image & 1u);
    }
    if (PARTS == 2u) {
        let kernels = p.kernels >> 1u;
        return 2u * ((((at.image * kernels + (k >> 1u)) * p.out_z + at.z) * p.out_y + y) * p.out_x + x) + (k & 1u);
    }
    return (((at.image * p.kernels + k) * p.out_z + at.z) * p.out_y + y) * p.out_x + x;
}

// Which part of complex elements a slab reads.
fn part_of(image_index: u32, slab: u32) -> u32 {
    if (PARTS == 1u) {
        return image_index & 1u;
    }
    return (slab / p.taps_z) % p.channel_parts;
}

// The position in depth that a slab reads for a plane of outputs.
fn depth_of(z: u32, slab: u32) -> i32 {
    return i32(z * p.stride_z + (slab % p.taps_z) * p.dilation_z) + p.start_z;
}

// The first number of row `y` at depth `z` of what a slab reads for real kernel `k`.
fn row_base(image_index: u32, k: u32, slab: u32, z: u32, y: u32) -> u32 {
    let group = (p.kernel_first + k / p.kernel_parts) / p.group_kernels;
    let channel = group * p.channels + slab / p.taps_z / p.channel_parts;
    let n = select(image_index, image_index >> 1u, PARTS == 1u);
    let row = ((n * p.planes + channel) * p.image_z + z) * p.image_y + y;
    return p.image_first + row * p.image_x * p.image_parts + part_of(image_index, slab);
}
