// Running exact sums of floats: a fixed-point number in two's complement, in words of 32 bits, one column per invocation in
// workgroup memory. Words low..used are kept; those below are 0, those above all `beyond`, the sign. So an element and a
// reading cost a few steps where the exponents lie close together, and never more than all words.
//
// State: all words, then the flags: 1 +inf, 2 -inf, 4 NaN, 8 anything but -0.
const WORDS: u32 = LIMBS + 1u;

var<workgroup> limbs: array<u32, LIMBS * WG>;
var<private> column: u32;
var<private> low: u32;
var<private> used: u32;
var<private> beyond: u32;
var<private> flags: u32;

fn walk_begin(t: u32) {
    column = t;
    low = 0u;
    used = 0u;
    beyond = 0u;
    flags = 0u;
}

fn limb(k: u32) -> u32 {
    return limbs[k * WG + column];
}

// Leaves no words at either end that need not be kept.
fn walk_trim() {
    while (low < used && limb(min(low, LIMBS - 1u)) == 0u) {
        low += 1u;
    }
    if (low == used) {
        if (beyond != 0u) {
            limbs[used * WG + column] = beyond;
            used += 1u;
        }
    } else {
        while (used > low + 1u && limb(used - 1u) == beyond) {
            used -= 1u;
        }
    }
}

// Adds three words from word `at` on, and `sign` above them.
fn walk_add(at: u32, a: vec3<u32>, sign: u32) {
    if (low == used) {
        low = at;
        used = at;
    }
    while (low > at) {
        low -= 1u;
        limbs[low * WG + column] = 0u;
    }
    while (used < at + 4u) {
        limbs[used * WG + column] = beyond;
        used += 1u;
    }
    var carry = 0u;
    for (var k = 0u; k < 3u; k += 1u) {
        let place = (at + k) * WG + column;
        let once = limbs[place] + a[k];
        let twice = once + carry;
        carry = u32(once < a[k]) + u32(twice < once);
        limbs[place] = twice;
    }
    var k = at + 3u;
    while (k < used && carry != (sign & 1u)) {
        let once = limb(k) + sign;
        let twice = once + carry;
        carry = u32(once < sign) + u32(twice < once);
        limbs[k * WG + column] = twice;
        k += 1u;
    }
    if (carry != (sign & 1u)) {
        // Beyond the last word there were all zeros or all ones, which become the other, or there is a word more.
        if (beyond == sign) {
            limbs[used * WG + column] = beyond + sign + carry;
            used += 1u;
        } else {
            beyond = sign;
        }
    }
}

fn walk_push(e: vec2<u32>) {
    let wide = SIZE == 8u;
    let top = select(e.x, e.y, wide);
    let field = select((top >> 23u) & 255u, (top >> 20u) & 2047u, wide);
    var high = select(0u, top & 0xfffffu, wide);
    var m = select(top & 0x7fffffu, e.x, wide);
    let special = field == select(255u, 2047u, wide);
    if (SKIP && special && (high | m) != 0u) {
        // As if it were +0.
        flags |= 8u;
        return;
    }
    let negative = top >> 31u;
    if ((high | m | field) != 0u || negative == 0u) {
        flags |= 8u;
    }
    if (special) {
        flags |= select(4u, 1u << negative, (high | m) == 0u);
    } else if ((high | m | field) != 0u) {
        let leading = min(field, 1u);
        if (wide) {
            high |= leading << 20u;
        } else {
            m |= leading << 23u;
        }
        let position = max(field, 1u) - 1u;
        let s = position & 31u;
        let words = vec3<u32>(m << s, (high << s) | ((m >> 1u) >> (31u - s)), (high >> 1u) >> (31u - s));
        let sign = 0u - negative;
        var a = words ^ vec3<u32>(sign);
        a.x += negative;
        let c = u32(a.x == 0u) & negative;
        a.y += c;
        a.z += u32(a.y == 0u) & c;
        walk_add(position >> 5u, a, sign);
    }
}

// Word k of the magnitude.
fn magnitude(k: u32) -> u32 {
    let v = limb(k);
    return select(v, select(~v, 0u - v, k == low), beyond != 0u);
}

// The sum, rounded once to nearest, ties to even: bit p of it has the weight 2^(p - LEAST), 2^-LEAST that of the least
// subnormal number of the elements' dtype.
fn walk_result() -> vec2<u32> {
    let wide = OUT_SIZE == 8u;
    if ((flags & 4u) != 0u || (flags & 3u) == 3u) {
        return select(vec2<u32>(0x7fc00000u, 0u), vec2<u32>(0u, 0x7ff80000u), wide);
    }
    let infinity = select(0x7f800000u, 0x7ff00000u, wide);
    var r = vec2<u32>(0u);
    var sign = beyond & 0x80000000u;
    if ((flags & 3u) != 0u) {
        sign = (flags & 2u) << 30u;
        r = select(vec2<u32>(infinity, 0u), vec2<u32>(0u, infinity), wide);
    } else {
        walk_trim();
        if (low == used) {
            sign = select(0x80000000u, 0u, (flags & 8u) != 0u);
        } else {
            let h = used - 1u;
            let w2 = magnitude(h);
            var w1 = 0u;
            var w0 = 0u;
            if (h > low) {
                w1 = magnitude(h - 1u);
            }
            if (h > low + 1u) {
                w0 = magnitude(h - 2u);
            }
            let z = countLeadingZeros(w2);
            let a = (w2 << z) | ((w1 >> 1u) >> (31u - z));
            let b = (w1 << z) | ((w0 >> 1u) >> (31u - z));
            let rest = u32((w0 << z) != 0u || low + 2u < h);
            let p = 32u * h + 31u - z;
            if (!wide) {
                // Of subnormal results fewer bits than 24 are kept; `below` is the first bit that is none of theirs.
                let below = LEAST - 149u;
                if (p + 1u >= below) {
                    let kept = min(p + 1u - below, 24u);
                    let cut = 31u - kept;
                    let m = (a >> cut) >> 1u;
                    let up = ((a >> cut) & 1u) == 1u && (((a & ((1u << cut) - 1u)) | b | rest) != 0u || (m & 1u) == 1u);
                    let field = min(max(p, below + 23u) - below - 23u, 255u);
                    r.x = min((field << 23u) + m + u32(up), infinity);
                }
            } else if (LEAST == 1074u && p <= 52u) {
                r = select(vec2<u32>(w2, 0u), vec2<u32>(w1, w2), h == 1u);
            } else {
                let up = ((b >> 10u) & 1u) == 1u && (((b & 0x3ffu) | rest) != 0u || ((b >> 11u) & 1u) == 1u);
                let m = (a << 21u) | (b >> 11u);
                r.x = m + u32(up);
                // The leading bit adds one to the exponent field.
                r.y = ((p + 1022u - LEAST) << 20u) + (a >> 11u) + u32(r.x < m);
                if (r.y >= infinity) {
                    r = vec2<u32>(0u, infinity);
                }
            }
        }
    }
    if (wide) {
        return vec2<u32>(r.x, r.y | sign);
    }
    return vec2<u32>(r.x | sign, 0u);
}

fn walk_failed() -> bool {
    return false;
}

fn kept_limb(k: u32) -> u32 {
    return select(select(beyond, limb(k), k < used), 0u, k < low);
}

fn walk_save(at: u32, n: u32) {
    for (var k = 0u; k < LIMBS; k += 1u) {
        state[at + k * n] = kept_limb(k);
    }
    state[at + LIMBS * n] = flags;
}

fn walk_merge(at: u32, n: u32) {
    var carry = 0u;
    for (var k = 0u; k < LIMBS; k += 1u) {
        let more = state[at + k * n];
        let once = kept_limb(k) + more;
        let twice = once + carry;
        carry = u32(once < more) + u32(twice < once);
        limbs[k * WG + column] = twice;
    }
    low = 0u;
    used = LIMBS;
    beyond = 0u - (limb(LIMBS - 1u) >> 31u);
    flags |= state[at + LIMBS * n];
    walk_trim();
}
