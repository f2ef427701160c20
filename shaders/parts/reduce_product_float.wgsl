// Product of floats as mantissa * 2^exponent: the mantissa is 53 bits with its top bit set (so in [1, 2)), rounded to
// nearest even at each step, the exponent 64 bits. Flags: 1 negative, 2 a zero, 4 an infinity, 8 NaN; all-zero words are
// the product of nothing (the mantissa is stored without its top bit).
const WORDS: u32 = 5u;
const TOP: u32 = 0x100000u; // bit 52, in the high word
struct State { low: u32, high: u32, exponent_low: u32, exponent_high: u32, flags: u32 }

fn identity() -> State { return State(0u, 0u, 0u, 0u, 0u); }
fn begin() {}
fn settle() {}

fn merge(a: State, b: State) -> State {
    var flags = ((a.flags ^ b.flags) & 1u) | ((a.flags | b.flags) & 14u);
    if ((flags & 14u) != 0u) {
        return State(0u, 0u, 0u, 0u, flags);
    }
    var exponent_low = a.exponent_low + b.exponent_low;
    var exponent_high = a.exponent_high + b.exponent_high + select(0u, 1u, exponent_low < a.exponent_low);
    // 53 x 53 bits: the product has 105 or 106.
    let ah = a.high | TOP;
    let bh = b.high | TOP;
    let p0 = mul_wide(a.low, b.low);
    let p1 = mul_wide(a.low, bh);
    let p2 = mul_wide(ah, b.low);
    let p3 = mul_wide(ah, bh);
    let s1 = p0.y + p1.x;
    let s2 = s1 + p2.x;
    let c1 = select(0u, 1u, s1 < p0.y) + select(0u, 1u, s2 < s1);
    let s3 = p1.y + p2.y;         // below 2^22: no carry
    let s4 = s3 + c1;
    let s5 = p3.x + s4;
    let w3 = p3.y + select(0u, 1u, s5 < s4);
    // Words p0.x, s2, s5, w3. Drop 52 or 53 bits: words 0 and 1 have 64, so the mantissa starts at bit 20 or 21 of s2.
    let long = w3 >> 9u;          // bit 105 of the product
    let shift = 20u + long;
    var low = (s2 >> shift) | (s5 << (32u - shift));
    var high = (s5 >> shift) | (w3 << (32u - shift));
    let rest = s2 & ((1u << shift) - 1u);
    let half = 1u << (shift - 1u);
    let below = (rest & (half - 1u)) | p0.x;
    if ((rest & half) != 0u && (below != 0u || (low & 1u) == 1u)) {
        low += 1u;
        if (low == 0u) {
            high += 1u;
        }
    }
    var add = long;
    if ((high & (TOP << 1u)) != 0u) { // rounded up to the next power of two: the rest is zero
        high = TOP;
        add += 1u;
    }
    let e = exponent_low + add;
    if (e < exponent_low) {
        exponent_high += 1u;
    }
    return State(low, high & (TOP - 1u), e, exponent_high, flags);
}
