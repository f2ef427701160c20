// How much the elements of a lane with each next digit weigh, exactly, among those that begin as the job's key does so far. A
// workgroup adds in its own memory for a part of the lane, and adds that to the job's sums.
//
// TOTAL: instead of digits there are the weight of all numbers, how many there are, how many elements are NaN, and the inverted
// index of the first weight that is none.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read> jobs: array<u32>;
@group(0) @binding(3) var<storage, read_write> sums: array<atomic<u32>>;
@group(0) @binding(4) var<uniform> params: Params;

const SUMS: u32 = DIGITS * LIMBS;

var<workgroup> mine: array<atomic<u32>, SUMS>;

fn word(i: u32) -> u32 {
    return x[i];
}

// Adds to a word of a digit's sum, with what is carried.
fn add_mine(digit: u32, at: u32, v: u32) {
    var carry = v;
    var k = at;
    while (carry != 0u && k < LIMBS) {
        let old = atomicAdd(&mine[digit * LIMBS + k], carry);
        carry = u32(old + carry < old);
        k += 1u;
    }
}

fn add_weight(digit: u32, w: Weight) {
    add_mine(digit, w.at, w.words.x);
    add_mine(digit, w.at + 1u, w.words.y);
    add_mine(digit, w.at + 2u, w.words.z);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) w: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) t: u32,
) {
    let group = group_number(w, grid);
    for (var i = t; i < SUMS; i += WG) {
        atomicStore(&mine[i], 0u);
    }
    workgroupBarrier();
    let job = group / params.splits;
    let alive = group < params.end;
    if (alive) {
        let split = group - job * params.splits;
        let lane = (params.job + job) / params.ranks;
        let origin = lane_start(lane);
        let beside = beside_lane_start(lane);
        let above = params.shift + DIGIT;
        var prefix = vec2<u32>(0u);
        if (!TOTAL) {
            prefix = vec2<u32>(jobs[job * (LIMBS + 2u)], jobs[job * (LIMBS + 2u) + 1u]);
        }
        for (var i = split * WG + t; i < params.len; i += params.splits * WG) {
            let e = element(origin + i * params.step);
            let k = select_key(e);
            let nan = FLOAT && all(k == vec2<u32>(0xffffffffu, select(0u, 0xffffffffu, WIDE)));
            if (TOTAL) {
                let v = weight(beside + i * params.beside_step);
                if (v.bad) {
                    atomicMax(&mine[3u * LIMBS], ~(params.base + i));
                } else if (nan) {
                    add_mine(2u, 0u, 1u);
                } else {
                    add_weight(0u, v);
                    add_mine(1u, 0u, 1u);
                }
            } else if (!nan && (above >= BITS || all(key_above(k, above) == key_above(prefix, above)))) {
                add_weight(key_above(k, params.shift).x & (DIGITS - 1u), weight(beside + i * params.beside_step));
            }
        }
    }
    workgroupBarrier();
    if (alive) {
        for (var i = t; i < SUMS; i += WG) {
            let v = atomicLoad(&mine[i]);
            let digit = i / LIMBS;
            let index = TOTAL && digit == 3u;
            if (index) {
                atomicMax(&sums[job * SUMS + i], v);
            }
            var carry = select(v, 0u, index);
            var k = i;
            while (carry != 0u && k < (digit + 1u) * LIMBS) {
                let old = atomicAdd(&sums[job * SUMS + k], carry);
                carry = u32(old + carry < old);
                k += 1u;
            }
        }
    }
}
