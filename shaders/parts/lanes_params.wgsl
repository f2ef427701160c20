// The uniform of what walks along lanes, and where lanes lie.
//
// Element i of lane l is at start + l / width * outer + l % width + i * step, in elements of the binding; results lie by
// the same rule. Steps may be negative, modulo 2^32.
struct Params {
    lanes: u32,      // how many
    width: u32,      // how many side by side
    len: u32,        // elements of each
    blocks: u32,     // blocks of each
    start: u32,      // where elements lie
    outer: u32,
    step: u32,
    out_start: u32,  // where results lie
    out_outer: u32,
    out_step: u32,
    lead: u32,       // results in front of the first element's
    level: u32,      // where the states of this level start, and how many there are
    states: u32,
    upper: u32,      // the same for the level above
    upper_states: u32,
    first: u32,      // the first job of this dispatch, and one past the last
    end: u32,
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

fn job_number(w: vec3<u32>, grid: vec3<u32>, t: u32) -> u32 {
    return params.first + ((w.z * grid.y + w.y) * grid.x + w.x) * WG + t;
}

fn lane_start(lane: u32) -> u32 {
    return params.start + lane / params.width * params.outer + lane % params.width;
}

fn lane_result(lane: u32) -> u32 {
    return params.out_start + lane / params.width * params.out_outer + lane % params.width;
}
