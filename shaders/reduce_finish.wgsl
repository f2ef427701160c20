// The results of the states in slot 0: one word of the output per invocation (two for 64-bit results). The part before
// gives result(i), (low, high). failed[0] becomes nonzero if a result does not fit.
@group(0) @binding(0) var<storage, read> state: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
@group(0) @binding(2) var<storage, read_write> failed: array<atomic<u32>>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let i = group_number(w, grid) * WG + t;
    if (OUT_SIZE == 8u) {
        if (i < params.n) {
            let v = result(i);
            out[2u * (params.out_first + i)] = v.x;
            out[2u * (params.out_first + i) + 1u] = v.y;
        }
    } else {
        // Narrow results are packed; the first lies at a multiple of 4.
        let each = max(4u / OUT_SIZE, 1u);
        if (i * each < params.n) {
            var packed = 0u;
            for (var k = 0u; k < each; k++) {
                if (i * each + k < params.n) {
                    packed |= result(i * each + k).x << (k * 8u * OUT_SIZE);
                }
            }
            out[params.out_first / each + i] = packed;
        }
    }
}
