// The next digit of every job: the first up to which the weights make up what the job wants. A job is the key so far, and what is
// wanted of the weights of the keys that begin so. The sums are 0 again.
@group(0) @binding(0) var<storage, read_write> jobs: array<u32>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let job = params.first + ((w.z * grid.y + w.y) * grid.x + w.x) * WG + t;
    if (job < params.end) {
        let at = job * (LIMBS + 2u);
        var digit = 0u;
        var done = false;
        for (var d = 0u; d < DIGITS; d += 1u) {
            let sum = (job * DIGITS + d) * LIMBS;
            if (!done) {
                // Whether the sum reaches what is wanted: the highest word that differs tells.
                var reaches = true;
                for (var k = 0u; k < LIMBS; k += 1u) {
                    let has = sums[sum + k];
                    let wanted = jobs[at + k + 2u];
                    reaches = select(has > wanted, reaches, has == wanted);
                }
                if (reaches) {
                    digit = d;
                    done = true;
                } else {
                    var borrow = 0u;
                    for (var k = 0u; k < LIMBS; k += 1u) {
                        let wanted = jobs[at + k + 2u];
                        let once = wanted - sums[sum + k];
                        jobs[at + k + 2u] = once - borrow;
                        borrow = u32(once > wanted) + u32(once < borrow);
                    }
                }
            }
            for (var k = 0u; k < LIMBS; k += 1u) {
                sums[sum + k] = 0u;
            }
        }
        let place = digit << (params.shift & 31u);
        jobs[at + u32(params.shift >= 32u)] |= place;
    }
}
