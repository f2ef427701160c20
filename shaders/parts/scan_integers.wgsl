// Running sums or products of integers in 64 bits, modulo 2^64; whether one did not fit. Of the total of a block it need not
// be known: where it does not fit, the last result of the block says so. A product is stored less 1, so that all-zero words
// are the state of nothing. Needs mul_wide.
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

fn is_above(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y > b.y || (a.y == b.y && a.x > b.x);
}

fn magnitude_of(a: vec2<u32>) -> vec2<u32> {
    if (SIGNED && a.y >= 0x80000000u) {
        return add_words(~a, vec2<u32>(1u, 0u));
    }
    return a;
}

// Modulo 2^64.
fn multiply(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let p = mul_wide(a.x, b.x);
    return vec2<u32>(p.x, p.y + a.x * b.y + a.y * b.x);
}

fn product_overflows(a: vec2<u32>, b: vec2<u32>) -> bool {
    let x = magnitude_of(a);
    let y = magnitude_of(b);
    if (x.y != 0u && y.y != 0u) {
        return true;
    }
    let p = mul_wide(x.x, y.x);
    let cross = mul_wide(select(x.x, x.y, x.y != 0u), select(y.y, y.x, x.y != 0u));
    let high = p.y + cross.x;
    if (cross.y != 0u || high < p.y) {
        return true;
    }
    if (SIGNED) {
        // 2^63 fits if it is negative.
        let negative = (a.y ^ b.y) >= 0x80000000u;
        return high >= 0x80000000u && !(negative && high == 0x80000000u && p.x == 0u);
    }
    return false;
}

fn walk_push(e: vec2<u32>) {
    var b = e;
    if (SIGNED && SIZE != 8u) {
        b.y = u32(i32(e.x) >> 31u);
    }
    if (PRODUCT) {
        over = over || product_overflows(total, b);
        total = multiply(total, b);
    } else {
        let sum = add_words(total, b);
        if (SIGNED) {
            over = over || ((~(total.y ^ b.y)) & (total.y ^ sum.y)) >= 0x80000000u;
        } else {
            over = over || is_above(total, sum);
        }
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
