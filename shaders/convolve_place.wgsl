// Puts a dense box of sums, [kernels, z, y, x], to its place in the sums of a chunk, word by word.
@group(0) @binding(0) var<storage, read> box: array<u32>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
@group(0) @binding(2) var<uniform> p: PlaceParams;

struct PlaceParams {
    // Words of the box along each axis, and the words first..end that are to be moved.
    box_x: u32,
    box_y: u32,
    box_z: u32,
    first: u32,
    end: u32,
    // Words of the sums along each axis, and where the box lies in them: from the first kernel of its image on.
    out_x: u32,
    out_y: u32,
    out_z: u32,
    at_x: u32,
    at_y: u32,
    at_z: u32,
    base: u32,
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) li: u32,
) {
    let i = p.first + ((group.z * grid.y + group.y) * grid.x + group.x) * 128u + li;
    if (i < p.end) {
        let row = i / p.box_x;
        let plane = row / p.box_y;
        let y = row % p.box_y + p.at_y;
        let z = plane % p.box_z + p.at_z;
        let k = plane / p.box_z;
        sums[p.base + ((k * p.out_z + z) * p.out_y + y) * p.out_x + i % p.box_x + p.at_x] = box[i];
    }
}
