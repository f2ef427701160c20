// What a device really does, in one dispatch of one workgroup. Inputs come from memory so that no compiler can fold them.
// Parts: mul_wide_u64 or mul_wide_u32.
@group(0) @binding(0) var<storage, read> given: array<u32>;
@group(0) @binding(1) var<storage, read_write> found: array<u32>;

var<workgroup> shared_words: array<u32, 64>;

fn mix(value: u32) -> u32 {
    let x = (value ^ (value >> 16u)) * 0x7FEB352Du;
    let y = (x ^ (x >> 15u)) * 0x846CA68Bu;
    return y ^ (y >> 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
    // Integers: each invocation folds every operation that exact paths use into one word.
    var a = mix(given[0] + local);
    var b = mix(a + given[1]);
    var sum = 0u;
    for (var i = 0u; i < given[2]; i += 1u) {
        let wide = mul_wide(a, b);
        let signed_a = bitcast<i32>(a);
        let divisor = (b >> 20u) | 1u;
        sum = mix(sum ^ wide.x) + wide.y;
        sum = mix(sum + a / divisor) ^ (a % divisor);
        sum = mix(sum ^ bitcast<u32>(signed_a >> (b & 31u))) + (a << (b & 31u));
        sum = mix(sum + bitcast<u32>(signed_a / bitcast<i32>(divisor)) ^ countLeadingZeros(a >> (b & 15u)));
        sum = mix(sum + countOneBits(a) + u32(signed_a < bitcast<i32>(b)) + u32(a < b) * 2u);
        sum = mix(sum ^ bitcast<u32>(min(signed_a, bitcast<i32>(b))) + max(a, b) ^ reverseBits(b));
        sum = mix(sum + extractBits(a, 5u, 9u) ^ bitcast<u32>(extractBits(signed_a, 16u, 16u)));
        a = mix(a + sum);
        b = mix(b ^ a);
    }
    // Workgroup memory and barriers: reversed, twice.
    shared_words[local] = sum;
    workgroupBarrier();
    let other = shared_words[63u - local];
    workgroupBarrier();
    shared_words[local] = other;
    workgroupBarrier();
    found[16u + local] = shared_words[63u - local];
    if (local == 0u) {
        // How far loops run.
        var steps = 0u;
        for (var i = 0u; i < given[3]; i += 1u) {
            steps += (i ^ given[0]) | 1u;
            steps -= (i ^ given[0]) | 1u;
            steps += 1u;
        }
        found[0] = steps;
        // A denormal sum, and x * y + z whose product needs more than 24 bits, in two ways.
        found[1] = bitcast<u32>(bitcast<f32>(given[4]) + bitcast<f32>(given[5]));
        let x = bitcast<f32>(given[6]);
        let z = bitcast<f32>(given[7]);
        found[2] = bitcast<u32>(x * x + z);
        found[3] = bitcast<u32>(fma(x, x, z));
        // Bits of a NaN that only moves.
        found[4] = given[8];
    }
}
