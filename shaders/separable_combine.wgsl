// The terms of a separable filter together: `total` plus `term` or its square, and square roots at the end. T is f32
// or f64.
@group(0) @binding(0) var<storage, read> term: array<T>;
@group(0) @binding(1) var<storage, read_write> total: array<T>;
@group(0) @binding(2) var<uniform> p: CombineParams;

struct CombineParams {
    // Elements first..end are to be done.
    first: u32,
    end: u32,
    // 1: the term's square is added; 1: the total's root is left.
    square: u32,
    root: u32,
    // 1: the total starts with this term.
    fresh: u32,
    unused_a: u32,
    unused_b: u32,
    unused_c: u32,
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) li: u32,
) {
    let i = p.first + ((group.z * grid.y + group.y) * grid.x + group.x) * 128u + li;
    if (i < p.end) {
        let x = term[i];
        var sum = T();
        if (p.fresh == 0u) {
            sum = total[i];
        }
        if (p.square == 1u) {
            sum = fma(x, x, sum);
        } else {
            sum = sum + x;
        }
        if (p.root == 1u) {
            sum = sqrt(sum);
        }
        total[i] = sum;
    }
}
