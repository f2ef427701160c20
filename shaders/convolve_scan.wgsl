// The largest magnitudes in blocks of float images, as the bits of the floats (of f64, their upper halves): integers that
// order as the magnitudes do, infinities and NaN last. A workgroup reads one block of one plane.
@group(0) @binding(0) var<storage, read> image: array<u32>;
@group(0) @binding(1) var<storage, read_write> largest: array<u32>;
@group(0) @binding(2) var<uniform> p: ScanParams;

struct ScanParams {
    // Where the first element's bits are in `image`, in elements.
    first: u32,
    // Elements of a row, rows of a plane.
    length: u32,
    rows: u32,
    // Blocks along a row, and rows of blocks of a plane.
    blocks_x: u32,
    blocks_y: u32,
    // Elements of a block along x, a power of two, and their logarithm; rows of a block.
    block_x: u32,
    log_x: u32,
    block_y: u32,
    // Workgroups group_first..group_end of all.
    group_first: u32,
    group_end: u32,
    unused_a: u32,
    unused_b: u32,
}

var<workgroup> most: atomic<u32>;

fn magnitude(i: u32) -> u32 {
    if (WIDE) {
        return image[2u * i + 1u] & 0x7fffffffu;
    }
    return image[i] & 0x7fffffffu;
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) li: u32,
) {
    let id = p.group_first + (group.z * grid.y + group.y) * grid.x + group.x;
    if (li == 0u) {
        atomicStore(&most, 0u);
    }
    workgroupBarrier();
    if (id < p.group_end) {
        let x = (id % p.blocks_x) * p.block_x;
        let row = id / p.blocks_x;
        let y = (row % p.blocks_y) * p.block_y;
        let base = p.first + (row / p.blocks_y) * p.rows * p.length;
        var m = 0u;
        for (var e = li; e < p.block_x * p.block_y; e += 128u) {
            let ex = x + (e & (p.block_x - 1u));
            let ey = y + (e >> p.log_x);
            if (ex < p.length && ey < p.rows) {
                m = max(m, magnitude(base + ey * p.length + ex));
            }
        }
        atomicMax(&most, m);
    }
    workgroupBarrier();
    if (li == 0u && id < p.group_end) {
        largest[id] = atomicLoad(&most);
    }
}
