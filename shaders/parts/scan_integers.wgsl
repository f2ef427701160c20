// Running sums or products of integers, modulo 2^64; whether one does not fit the dtype of the results, which every one is
// asked. As long as all fit the words are the whole number, so that a block may begin with them. A product is stored less 1,
// so that all-zero words are the state of nothing. Needs mul_wide.
const WORDS: u32 = 2u;

var<private> total: vec2<u32>;
var<private> over: bool;

fn add_words(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let x = a.x + b.x;
    return vec2<u32>(x, a.y + b.y + u32(x < a.x));
}

fn walk_begin(t: u32) {
    total = vec2<u32>(u32(PRODUCT), 0u);
    over = false;
}

fn magnitude_of(a: vec2<u32>, negative: bool) -> vec2<u32> {
    return select(a, add_words(~a, vec2<u32>(1u, 0u)), negative);
}

// Modulo 2^64.
fn multiply(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let p = mul_wide(a.x, b.x);
    return vec2<u32>(p.x, p.y + a.x * b.y + a.y * b.x);
}

// Whether a number, the third word its sign, is one of the results' dtype.
fn fits(v: vec3<u32>) -> bool {
    let sign = select(0u, u32(i32(v.z) >> 31u), OUT_SIGNED);
    let top = select(0u, 0x80000000u, OUT_SIGNED);
    if (v.z != sign) {
        return false;
    }
    if (OUT_SIZE == 8u) {
        return ((v.y ^ sign) & top) == 0u;
    }
    // What is beyond the bits that such a magnitude has.
    let beyond = ~(0xffffffffu >> ((24u * OUT_SIZE) & 31u)) | (top >> ((24u * OUT_SIZE) & 31u));
    return v.y == sign && ((v.x ^ sign) & beyond) == 0u;
}

fn product_fits(b: vec2<u32>) -> bool {
    let minus = OUT_SIGNED && total.y >= 0x80000000u;
    let other = SIGNED && b.y >= 0x80000000u;
    let x = magnitude_of(total, minus);
    let y = magnitude_of(b, other);
    if (x.y != 0u && y.y != 0u) {
        return false;
    }
    let p = mul_wide(x.x, y.x);
    let cross = mul_wide(select(x.x, x.y, x.y != 0u), select(y.y, y.x, x.y != 0u));
    let high = p.y + cross.x;
    if (cross.y != 0u || high < p.y) {
        return false;
    }
    if (minus == other || (p.x | high) == 0u) {
        return fits(vec3<u32>(p.x, high, 0u));
    }
    let low = ~p.x + 1u;
    return fits(vec3<u32>(low, ~high + u32(low == 0u), 0xffffffffu));
}

fn walk_push(e: vec2<u32>) {
    var b = e;
    if (SIGNED && SIZE != 8u) {
        b.y = u32(i32(e.x) >> 31u);
    }
    if (PRODUCT) {
        over = over || !product_fits(b);
        total = multiply(total, b);
    } else {
        let sum = add_words(total, b);
        let carry = u32(sum.y < total.y || (sum.y == total.y && sum.x < total.x));
        let above = select(0u, u32(i32(total.y) >> 31u), OUT_SIGNED) + select(0u, u32(i32(b.y) >> 31u), SIGNED) + carry;
        over = over || !fits(vec3<u32>(sum, above));
        total = sum;
    }
}

fn walk_result() -> vec2<u32> {
    return total;
}

fn walk_failed() -> bool {
    return over;
}

fn walk_save(at: u32, n: u32) {
    let stored = select(total, add_words(total, vec2<u32>(0xffffffffu, 0xffffffffu)), PRODUCT);
    state[at] = stored.x;
    state[at + n] = stored.y;
}

fn walk_merge(at: u32, n: u32) {
    let stored = vec2<u32>(state[at], state[at + n]);
    if (PRODUCT) {
        total = multiply(total, add_words(stored, vec2<u32>(1u, 0u)));
    } else {
        total = add_words(total, stored);
    }
}
