// The one rounding of sums and means: |digits| * 2^(bit 0's weight) / count, to nearest even, by binary long division.
// `digits` are 23 bits each, the top one up to 31; the part before fills them.
//   BELOW: position of the lowest bit of the smallest subnormal, minus that of digit 0 (0 for floats' own sums)
var<private> magnitude: array<u32, DIGITS>;

struct Quotient { low: u32, high: u32, position: i32, sticky: bool }

fn divide(count: vec2<u32>) -> Quotient {
    var q = vec2<u32>(0u, 0u);
    var rem = vec2<u32>(0u, 0u);
    var d = i32(DIGITS) - 1;
    while (d > 0 && magnitude[d] == 0u) {
        d -= 1;
    }
    var bit = 22;
    if (d == i32(DIGITS) - 1) {
        bit = 30;
    }
    var position = d * 23 + bit;
    var done = false;
    while (!done) {
        var next = 0u;
        if (d >= 0) {
            next = (magnitude[d] >> u32(bit)) & 1u;
        }
        rem = vec2<u32>((rem.x << 1u) | next, (rem.y << 1u) | (rem.x >> 31u));
        q = vec2<u32>(q.x << 1u, (q.y << 1u) | (q.x >> 31u));
        if (rem.y > count.y || (rem.y == count.y && rem.x >= count.x)) {
            let borrow = select(0u, 1u, rem.x < count.x);
            rem = vec2<u32>(rem.x - count.x, rem.y - count.y - borrow);
            q.x |= 1u;
        }
        // Enough bits (mantissa and one for rounding), or the bit below the smallest subnormal.
        let full = select((q.x >> 24u) != 0u, (q.y >> 21u) != 0u, OUT_SIZE == 8u);
        done = full || position <= -BELOW - 1;
        if (!done) {
            position -= 1;
            bit -= 1;
            if (bit < 0) {
                bit = 22;
                d -= 1;
            }
        }
    }
    var sticky = (rem.x | rem.y) != 0u;
    if (d >= 0) {
        sticky = sticky || (magnitude[d] & ((1u << u32(bit)) - 1u)) != 0u;
        for (var k = 0; k < d; k++) {
            sticky = sticky || magnitude[k] != 0u;
        }
    }
    return Quotient(q.x, q.y, position, sticky);
}

fn round_ratio(count: vec2<u32>, sign: u32) -> vec2<u32> {
    let q = divide(count);
    var bits = vec2<u32>((q.low >> 1u) | (q.high << 31u), q.high >> 1u);
    if ((q.low & 1u) == 1u && (q.sticky || (bits.x & 1u) == 1u)) {
        bits.x += 1u;
        if (bits.x == 0u) {
            bits.y += 1u;
        }
    }
    let field = u32(q.position + 1 + BELOW);
    if (OUT_SIZE == 4u) {
        if (field > 253u) { return vec2<u32>(sign | 0x7f800000u, 0u); }
        return vec2<u32>(sign | (bits.x + (field << 23u)), 0u);
    }
    if (field > 2045u) { return vec2<u32>(0u, sign | 0x7ff00000u); }
    return vec2<u32>(bits.x, sign | (bits.y + (field << 20u)));
}
