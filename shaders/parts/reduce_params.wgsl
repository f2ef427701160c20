// The uniform of every reduction shader, and how results and elements are addressed.
//
// A dispatch reduces one box of the input: contiguous memory whose axes, merged as far as possible, are up to four kept
// and four reduced ones (innermost in .x). Result `i` of the box merges into slot `s` of the state, word `w` at
// state[(s * WORDS + w) * n + at + i].
struct Params {
    kept_len: vec4<u32>,
    kept_step: vec4<u32>,
    reduced_len: vec4<u32>,
    reduced_step: vec4<u32>,
    start: u32,        // first element of the box in the binding
    len: u32,          // elements behind each result of the box
    first: u32,        // first result of the box to compute
    results: u32,      // how many
    at: u32,           // where they lie in the state
    n: u32,            // results in the state
    splits: u32,       // slots: invocations or workgroups that share a result
    group_first: u32,  // number of the first workgroup of this dispatch
    group_end: u32,    // and one past the last
    base_lo: u32,      // index, in the whole reduction, of the box's first element
    base_hi: u32,
    count_lo: u32,     // elements behind each result in the whole reduction
    count_hi: u32,
    out_first: u32,    // where the results go in the output
    power_low: u32,    // the order of a norm, as binary64
    power_high: u32,
    second: u32,       // from an element to that of the second operand, modulo 2^32
    pad0: u32,
    pad1: u32,
    pad2: u32,
}

fn locate(index: u32, len: vec4<u32>, step: vec4<u32>) -> u32 {
    let y = index / len.x;
    let z = y / len.y;
    let w = z / len.z;
    return (index - y * len.x) * step.x + (y - z * len.y) * step.y + (z - w * len.z) * step.z + w * step.w;
}

fn group_number(w: vec3<u32>, grid: vec3<u32>) -> u32 {
    return params.group_first + (w.z * grid.y + w.y) * grid.x + w.x;
}
