// Reductions by group. A group's state is WORDS words of atomic integers, so that no order of the elements counts:
//   SUM of integers: the 64-bit pattern of each in three words, how many were negative;
//   SUM of floats: fixed-point sums of the magnitudes of what is positive and of what is negative, then flags (1 +inf,
//     2 -inf, 4 NaN, 8 anything but -0);
//   MOMENTS: such sums, and after them a fixed-point sum of squares, of integers in five words;
//   EXTREME: the order key, of 64 bits in two passes (BY_LOW: the low word, of those whose high word is best);
//   ARG: of those whose key is best, the inverted index.
// The last word counts the elements. Where the states of all groups fit workgroup memory they are made there first.
@group(0) @binding(0) var<storage, read> elements: array<u32>;
@group(0) @binding(1) var<storage, read> thresholds: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> values: array<u32>;
@group(0) @binding(3) var<storage, read_write> states: array<atomic<u32>>;
@group(0) @binding(4) var<uniform> params: Params;

fn word(i: u32) -> u32 {
    return values[i];
}

// Adds to a word of a number that ends before word `end`, with what is carried.
fn add_shared(at: u32, end: u32, v: u32) {
    var carry = v;
    var k = at;
    while (carry != 0u && k < end) {
        let old = atomicAdd(&states[k], carry);
        carry = u32(old + carry < old);
        k += 1u;
    }
}

fn add_mine(at: u32, end: u32, v: u32) {
    var carry = v;
    var k = at;
    while (carry != 0u && k < end) {
        let old = atomicAdd(&mine[k], carry);
        carry = u32(old + carry < old);
        k += 1u;
    }
}

fn add(at: u32, end: u32, v: u32) {
    if (PRIVATE) {
        add_mine(at, end, v);
    } else {
        add_shared(at, end, v);
    }
}

fn raise(at: u32, v: u32) {
    if (PRIVATE) {
        atomicMax(&mine[at], v);
    } else {
        atomicMax(&states[at], v);
    }
}

fn flag(at: u32, v: u32) {
    if (PRIVATE) {
        atomicOr(&mine[at], v);
    } else {
        atomicOr(&states[at], v);
    }
}

// Adds the square of a number of two words, shifted by less than a word.
fn add_square(at: u32, end: u32, low: u32, high: u32, s: u32) {
    let a = mul_wide(low, low);
    let b = mul_wide(low, high);
    let c = mul_wide(high, high);
    let twice = vec3<u32>(b.x << 1u, (b.y << 1u) | (b.x >> 31u), b.y >> 31u);
    let w1 = a.y + twice.x;
    let carry1 = u32(w1 < twice.x);
    let w2 = c.x + twice.y;
    let carry2 = u32(w2 < twice.y);
    let w2b = w2 + carry1;
    let w3 = c.y + twice.z + carry2 + u32(w2b < carry1);
    add(at, end, a.x << s);
    add(at + 1u, end, (w1 << s) | ((a.x >> 1u) >> (31u - s)));
    add(at + 2u, end, (w2b << s) | ((w1 >> 1u) >> (31u - s)));
    add(at + 3u, end, (w3 << s) | ((w2b >> 1u) >> (31u - s)));
    add(at + 4u, end, (w3 >> 1u) >> (31u - s));
}

fn push_integer(at: u32, e: vec2<u32>) {
    var high = e.y;
    if (SIZE != 8u && SIGNED) {
        high = u32(i32(e.x) >> 31u);
    }
    add(at, at + 3u, e.x);
    add(at + 1u, at + 3u, high);
    let negative = SIGNED && high >= 0x80000000u;
    if (negative) {
        add(at + 3u, at + 4u, 1u);
    }
    if (SQUARES > 0u) {
        var low = e.x;
        if (negative) {
            low = ~low + 1u;
            high = ~high + u32(low == 0u);
        }
        add_square(at + 4u, at + 4u + SQUARES, low, high, 0u);
    }
}

fn push_float(at: u32, e: vec2<u32>) {
    let wide = SIZE == 8u;
    let top = select(e.x, e.y, wide);
    let field = select((top >> 23u) & 255u, (top >> 20u) & 2047u, wide);
    var high = select(0u, top & 0xfffffu, wide);
    var m = select(top & 0x7fffffu, e.x, wide);
    let negative = top >> 31u;
    let zero = (high | m | field) == 0u;
    let flags = at + 2u * LIMBS;
    if (!zero || negative == 0u) {
        flag(flags, 8u);
    }
    if (field == select(255u, 2047u, wide)) {
        flag(flags, select(4u, 1u << negative, (high | m) == 0u));
    } else if (!zero) {
        let leading = min(field, 1u);
        if (wide) {
            high |= leading << 20u;
        } else {
            m |= leading << 23u;
        }
        let position = max(field, 1u) - 1u;
        let s = position & 31u;
        let first = at + negative * LIMBS;
        let end = first + LIMBS;
        let place = first + (position >> 5u);
        add(place, end, m << s);
        add(place + 1u, end, (high << s) | ((m >> 1u) >> (31u - s)));
        add(place + 2u, end, (high >> 1u) >> (31u - s));
        if (SQUARES > 0u) {
            let squares = flags + 1u;
            add_square(squares + (position >> 4u), squares + SQUARES, m, high, (2u * position) & 31u);
        }
    }
}

fn push_key(at: u32, shared_at: u32, e: vec2<u32>, index: u32) {
    let k = key(e);
    if (PASS == 0u) {
        raise(at, select(k.x, k.y, WIDE));
    } else if (PASS == 1u) {
        if (k.y == atomicLoad(&states[shared_at])) {
            raise(at + 1u, k.x);
        }
    } else {
        let best = atomicLoad(&states[shared_at]);
        var same = k.x == best;
        if (WIDE) {
            same = k.y == best && k.x == atomicLoad(&states[shared_at + 1u]);
        }
        if (same) {
            raise(at + 2u, ~index);
        }
    }
}

fn visit(i: u32) {
    let found = group_of(order_key(params.keys_first + i));
    if (found < params.groups) {
        let at = found * WORDS;
        let e = element(params.values_first + i);
        if (PASS == 0u) {
            add(at + WORDS - 1u, at + WORDS, 1u);
        }
        if (KIND == 0u) {
            push_integer(at, e);
        } else if (KIND == 1u) {
            push_float(at, e);
        } else {
            push_key(at, at, e, i);
        }
    }
}

fn hand_over(local: u32) {
    for (var i = local; i < params.groups * WORDS; i += WG) {
        let v = atomicLoad(&mine[i]);
        if (v != 0u) {
            let word = i % WORDS;
            let at = i - word;
            if (word == WORDS - 1u) {
                add_shared(i, i + 1u, v);
            } else if (KIND == 0u) {
                add_shared(i, at + select(select(4u + SQUARES, 4u, word < 4u), 3u, word < 3u), v);
            } else if (KIND == 1u) {
                if (word == 2u * LIMBS) {
                    atomicOr(&states[i], v);
                } else if (word > 2u * LIMBS) {
                    add_shared(i, at + 2u * LIMBS + 1u + SQUARES, v);
                } else {
                    add_shared(i, at + select(2u * LIMBS, LIMBS, word < LIMBS), v);
                }
            } else {
                atomicMax(&states[i], v);
            }
        }
    }
}
