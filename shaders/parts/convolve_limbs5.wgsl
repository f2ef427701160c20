// Sums of 160 bits in five words, two's complement: room for 2^32 products of 64-bit integers of any sign.
struct Sum {
    low: vec4<u32>,
    top: u32,
}

fn zero() -> Sum {
    return Sum(vec4<u32>(), 0u);
}

// a + b + carry, and the carry out.
fn add(a: u32, b: u32, carry: u32) -> vec2<u32> {
    let s = a + b;
    let t = s + carry;
    return vec2<u32>(t, u32(s < a) + u32(t < s));
}

// a - b - borrow, and the borrow out.
fn subtract(a: u32, b: u32, borrow: u32) -> vec2<u32> {
    let s = a - b;
    return vec2<u32>(s - borrow, u32(a < b) + u32(s < borrow));
}

fn madd(s: Sum, x: vec2<u32>, w: vec2<u32>) -> Sum {
    // The product of the words as unsigned numbers.
    let ll = multiply(x.x, w.x);
    let lh = multiply(x.x, w.y);
    let hl = multiply(x.y, w.x);
    let hh = multiply(x.y, w.y);
    let a1 = add(ll.y, lh.x, 0u);
    let b1 = add(a1.x, hl.x, 0u);
    let a2 = add(lh.y, hl.y, a1.y);
    let b2 = add(a2.x, hh.x, b1.y);
    var p2 = b2.x;
    var p3 = hh.y + a2.y + b2.y;
    var p4 = 0u;
    // A negative factor was read 2^64 too large.
    let x_negative = IMAGE_SIGNED && (x.y >> 31u) == 1u;
    let w_negative = KERNEL_SIGNED && (w.y >> 31u) == 1u;
    if (x_negative) {
        let c = subtract(p2, w.x, 0u);
        let d = subtract(p3, w.y, c.y);
        p2 = c.x;
        p3 = d.x;
        p4 -= d.y;
    }
    if (w_negative) {
        let c = subtract(p2, x.x, 0u);
        let d = subtract(p3, x.y, c.y);
        p2 = c.x;
        p3 = d.x;
        p4 -= d.y;
    }
    if (x_negative && w_negative) {
        p4 += 1u;
    }
    let s0 = add(s.low.x, ll.x, 0u);
    let s1 = add(s.low.y, b1.x, s0.y);
    let s2 = add(s.low.z, p2, s1.y);
    let s3 = add(s.low.w, p3, s2.y);
    return Sum(vec4<u32>(s0.x, s1.x, s2.x, s3.x), s.top + p4 + s3.y);
}

fn recall(i: u32) -> Sum {
    let j = 5u * i;
    return Sum(vec4<u32>(result[j], result[j + 1u], result[j + 2u], result[j + 3u]), result[j + 4u]);
}

fn keep(i: u32, s: Sum) {
    let j = 5u * i;
    result[j] = s.low.x;
    result[j + 1u] = s.low.y;
    result[j + 2u] = s.low.z;
    result[j + 3u] = s.low.w;
    result[j + 4u] = s.top;
}
