// The uniform of selections. A job is one rank of one lane: job j is of lane j / ranks of the piece.
struct Params {
    width: u32,      // lanes side by side: element i of lane l is at start + l / width * outer + l % width + i * step
    len: u32,        // elements of each lane in this piece
    start: u32,
    outer: u32,
    step: u32,
    ranks: u32,      // jobs of a lane
    base: u32,       // the index of the piece's first element in its lane
    splits: u32,     // workgroups that share a job
    shift: u32,      // the lowest bit of the digit
    by_index: u32,   // whether the digit is one of the index, among elements of the key found
    job: u32,        // the number, in the piece, of the first job of these states
    k: u32,          // elements to keep
    first: u32,      // the first workgroup or invocation of this dispatch, and one past the last
    end: u32,
    beside_start: u32,  // where the elements of a second array lie, by the same rule
    beside_outer: u32,
    beside_step: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

fn lane_start(lane: u32) -> u32 {
    return params.start + lane / params.width * params.outer + lane % params.width;
}

fn beside_lane_start(lane: u32) -> u32 {
    return params.beside_start + lane / params.width * params.beside_outer + lane % params.width;
}

fn group_number(w: vec3<u32>, grid: vec3<u32>) -> u32 {
    return params.first + (w.z * grid.y + w.y) * grid.x + w.x;
}
