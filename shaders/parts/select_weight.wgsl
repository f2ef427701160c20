// Weights as fixed-point numbers: three words, the lowest of which is word `at` of LIMBS. Integers of more than 53 bits are
// rounded to binary64 first, as on the host.
@group(0) @binding(1) var<storage, read> weights: array<u32>;

struct Weight {
    words: vec3<u32>,
    at: u32,
    // Negative, infinite or NaN.
    bad: bool,
}

fn weight_word(i: u32, width: u32) -> u32 {
    let per = 32u / width;
    let v = weights[i / per] << (32u - width - (i % per) * width);
    return select(v >> (32u - width), u32(i32(v) >> (32u - width)), WEIGHT_SIGNED);
}

fn weight_integer(i: u32) -> Weight {
    var low = 0u;
    var high = 0u;
    if (WEIGHT_SIZE == 8u) {
        low = weights[2u * i];
        high = weights[2u * i + 1u];
    } else if (WEIGHT_SIZE == 4u) {
        low = weights[i];
    } else {
        low = weight_word(i, 8u * (WEIGHT_SIZE & 3u));
    }
    let top = select(low, high, WEIGHT_SIZE == 8u);
    let zeros = countLeadingZeros(high);
    var beyond = 0u;
    if (zeros < 11u) {
        let drop = 11u - zeros;
        let half = 1u << (drop - 1u);
        let rest = low & (2u * half - 1u);
        low -= rest;
        if (rest > half || (rest == half && (low & (2u * half)) != 0u)) {
            low += 2u * half;
            high += u32(low == 0u);
            beyond = u32(low == 0u && high == 0u);
        }
    }
    return Weight(vec3<u32>(low, high, beyond), 0u, WEIGHT_SIGNED && top >= 0x80000000u);
}

fn weight_float(i: u32) -> Weight {
    let wide = WEIGHT_SIZE == 8u;
    var m = 0u;
    var top = 0u;
    if (wide) {
        m = weights[2u * i];
        top = weights[2u * i + 1u];
    } else {
        top = weights[i];
        m = top & 0x7fffffu;
    }
    let field = select((top >> 23u) & 255u, (top >> 20u) & 2047u, wide);
    var high = select(0u, top & 0xfffffu, wide);
    let zero = (high | m | field) == 0u;
    let bad = field == select(255u, 2047u, wide) || (!zero && top >= 0x80000000u);
    let leading = min(field, 1u);
    if (wide) {
        high |= leading << 20u;
    } else {
        m |= leading << 23u;
    }
    let position = max(field, 1u) - 1u;
    let s = position & 31u;
    let words = vec3<u32>(m << s, (high << s) | ((m >> 1u) >> (31u - s)), (high >> 1u) >> (31u - s));
    return Weight(words, position >> 5u, bad);
}

fn weight(i: u32) -> Weight {
    if (WEIGHT_FLOAT) {
        return weight_float(i);
    }
    return weight_integer(i);
}
