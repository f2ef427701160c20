// The terms of log Σ b exp(x), in binary64 on its bits: numbers of a piece, C-contiguous, (low, high). STAGE 0 reads elements
// of any dtype, 1 hides exponents whose factor is 0, 2 turns exponents into terms.
@group(0) @binding(0) var<storage, read> source: array<u32>;   // elements; then factors, as numbers
@group(0) @binding(1) var<storage, read> anchors: array<vec2<u32>>; // of each lane of the piece, negated
@group(0) @binding(2) var<storage, read_write> numbers: array<vec2<u32>>;
@group(0) @binding(3) var<uniform> params: Params;

fn word(i: u32) -> u32 {
    return source[i];
}

fn factor(i: u32) -> vec2<u32> {
    return vec2<u32>(source[2u * i], source[2u * i + 1u]);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let i = job_number(w, grid, t);
    if (i < params.end) {
        let row = i / params.width;
        let column = i - row * params.width;
        let outer = row / params.len;
        let lane = outer * params.width + column;
        if (STAGE == 0u) {
            numbers[i] = double_of(element(lane_start(lane) + (row - outer * params.len) * params.step));
        } else if (STAGE == 1u) {
            if (is_zero64(d_magnitude(factor(i)))) {
                numbers[i] = vec2<u32>(0u, D_SIGN | D_TOP);
            }
        } else {
            var term = d_exp(d_add(numbers[i], anchors[lane]));
            if (FACTORS) {
                let b = factor(i);
                term = select(d_mul(term, b), vec2<u32>(0u, 0u), is_zero64(d_magnitude(b)));
            }
            numbers[i] = term;
        }
    }
}
