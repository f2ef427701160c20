// Arrays of random numbers. Every number is computed in integers from its words of the stream: no float operation.
// Parts: the constants KIND, WORDS, BYTES, BOOL and ROUNDS; mul_wide; philox and philox_block, or threefry_block; words64; scaled.
override SIZE: u32 = 64u;

const UNIFORM = 0u;
const NORMAL = 1u;
const EXPONENTIAL = 2u;

struct Params {
    key: vec4<u32>,
    // The first block and the stream, low words first.
    counter: vec4<u32>,
    // The lower end or the mean, the span, the scale or the range: 64-bit integers.
    low: vec2<u32>,
    scale: vec2<u32>,
    exponent: i32,
    // Units of four elements that this dispatch makes.
    first: u32,
    end: u32,
    // Whether an integer's range is 2^64.
    whole: u32,
}

@group(0) @binding(0) var<storage, read> table: array<u32>;
@group(0) @binding(1) var<storage, read_write> numbers: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

fn block(index: u32) -> vec4<u32> {
    let low = params.counter.x + index;
    return generate(vec4<u32>(low, params.counter.y + u32(low < index), params.counter.zw), params.key);
}

// The quantile of the probability v / 2^32, v odd.
fn quantile32(v: u32) -> vec2<u32> {
    let octave = countLeadingZeros(v);
    let m = v << octave;
    let s = ~(m << 4u);
    let row = 8u * (8u * octave + ((m >> 28u) & 7u));
    var sum = table[row + 7u];
    for (var i = 6u; i > 1u; i -= 1u) {
        sum = table[row + i] + mul_wide(sum, s).y;
    }
    return add64(vec2<u32>(table[row], table[row + 1u]), shift_right64(mul_wide(sum, s), 8u));
}

// The quantile of the probability v / 2^64, v odd.
fn quantile64(v: vec2<u32>) -> vec2<u32> {
    let octave = leading_zeros64(v);
    let m = shift_left64(v, octave);
    let s = ~shift_left64(m, 4u);
    let row = 24u * (8u * octave + ((m.y >> 28u) & 7u));
    var sum = vec2<u32>(table[row + 22u], table[row + 23u]);
    for (var i = 20u; i > 0u; i -= 2u) {
        sum = add64(vec2<u32>(table[row + i], table[row + i + 1u]), mul_high64(sum, s));
    }
    return add64(vec2<u32>(table[row], table[row + 1u]), shift_right64(mul_high64(sum, s), 8u));
}

// `magnitude` of the sign, plus the mean, as a float's bits.
fn float(value: vec2<u32>, signed: bool, down: bool) -> vec2<u32> {
    let negative = signed && (value.y >> 31u) == 1u;
    let magnitude = select(value, negate64(value), negative);
    if (BYTES == 8u) {
        return scaled_f64(magnitude, params.exponent, negative, down);
    }
    return vec2<u32>(scaled_f32(magnitude, params.exponent, negative, down), 0u);
}

// An element from its words; of one word, the last.
fn element(words: vec4<u32>) -> vec2<u32> {
    let u = words.zw;
    if (KIND == UNIFORM) {
        return float(add64(params.low, mul_high64(params.scale, u)), true, true);
    }
    if (KIND == NORMAL) {
        var z = vec2<u32>(0u);
        if (WORDS == 1u) {
            z = quantile32((u.y << 1u) | 1u);
        } else {
            z = quantile64(shift_left64(u, 1u) | vec2<u32>(1u, 0u));
        }
        z = mul_high64(params.scale, z);
        return float(add64(params.low, select(z, negate64(z), (u.y >> 31u) == 1u)), true, false);
    }
    if (KIND == EXPONENTIAL) {
        var z = vec2<u32>(0u);
        if (WORDS == 1u) {
            z = quantile32(u.y | 1u);
        } else {
            z = quantile64(u | vec2<u32>(1u, 0u));
        }
        return float(mul_high64(params.scale, z), false, false);
    }
    var value = select(mul_high64(params.scale, u), u, params.whole == 1u);
    if (WORDS == 4u && params.whole == 0u) {
        // The upper half of a product of 192 bits: what the lower words carry.
        let low = vec2<u32>(params.scale.x * u.x, 0u);
        let cross = mul_wide(params.scale.x, u.x).y + params.scale.x * u.y + params.scale.y * u.x;
        let lower = vec2<u32>(low.x, cross);
        let sum = add64(lower, mul_high64(params.scale, words.xy));
        value = add64(value, vec2<u32>(u32(sum.y < lower.y || (sum.y == lower.y && sum.x < lower.x)), 0u));
    }
    return add64(params.low, value);
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let unit = params.first + ((group.z * groups.y + group.y) * groups.x + group.x) * SIZE + local;
    if (unit < params.end) {
        var words = vec4<u32>(0u);
        var packed = 0u;
        for (var i = 0u; i < 4u; i += 1u) {
            let at = (i * WORDS) % 4u;
            if (at == 0u) {
                words = block(unit * WORDS + (i * WORDS) / 4u);
            }
            var own = words;
            if (WORDS == 1u) {
                own = vec4<u32>(0u, 0u, 0u, words[at]);
            } else if (WORDS == 2u && at == 0u) {
                own = vec4<u32>(0u, 0u, words.xy);
            }
            let value = element(own);
            if (BYTES == 8u) {
                numbers[8u * unit + 2u * i] = value.x;
                numbers[8u * unit + 2u * i + 1u] = value.y;
            } else if (BYTES == 4u) {
                numbers[4u * unit + i] = value.x;
            } else if (BYTES == 2u) {
                packed = select((packed & 0xFFFFu) | (value.x << 16u), value.x & 0xFFFFu, i % 2u == 0u);
                if (i % 2u == 1u) {
                    numbers[2u * unit + i / 2u] = packed;
                }
            } else {
                packed |= (value.x & select(0xFFu, 1u, BOOL)) << (8u * i);
                if (i == 3u) {
                    numbers[unit] = packed;
                }
            }
        }
    }
}
