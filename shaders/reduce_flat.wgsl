// Reduction of contiguous runs: the only reduced axis is the innermost. Workgroups share a result; each reads whole
// 16-byte vectors (push_run) and the ragged ends by the element.
@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> state: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

fn word(i: u32) -> u32 {
    return x[i >> 2u][i & 3u];
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let g = group_number(w, grid);
    let split = g / params.results;
    let result = g - split * params.results;
    acc_begin(t);
    if (g < params.group_end) {
        let a = params.start + locate(params.first + result, params.kept_len, params.kept_step);
        let b = a + params.len;
        // Whole vectors lie in [head, tail); what is outside goes to the first invocations of the first split.
        let head = min(b, ((a + PER - 1u) / PER) * PER);
        let tail = max(head, (b / PER) * PER);
        if (split == 0u && t < head - a) {
            acc_push(element(a + t), t);
        }
        let step = params.splits * WG;
        let end = tail / PER;
        push_run((head + PER - 1u) / PER + split * WG + t, end, step, a);
        if (split == 0u && t < b - tail) {
            acc_push(element(tail + t), tail + t - a);
        }
    }
    acc_settle();
    acc_group(t);
    if (g < params.group_end && t == 0u) {
        acc_flush(split * WORDS * params.n + params.at + result);
    }
}
