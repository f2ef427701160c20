// Exact sums of binary32 numbers and of their squares: fixed-point numbers in signed digits of 23 bits, as in
// reduce_digits, one column per invocation in workgroup memory. Digits 0 to 14 are the sum's, whose lowest bit is 2^-149; if there are
// more, the others are those of the squares, whose lowest bit is 2^-298. A digit takes 256 additions before its carry must move on.
//
// A workgroup adds to a slot of its own in `results`: the digits, then the flags: 1 +inf, 2 -inf, 4 NaN, 8 anything but -0.
// Needs mul_wide, DIGITS and SIZE.
const DIGIT = 0x7FFFFFu;
const SUM_DIGITS = 15u;
const RUN = 240u;

var<workgroup> digits: array<i32, DIGITS * SIZE>;
var<workgroup> group_flags: atomic<u32>;
var<private> flags: u32;

fn sums_begin(t: u32) {
    flags = 0u;
    for (var d = 0u; d < DIGITS; d += 1u) {
        digits[d * SIZE + t] = 0;
    }
    if (t == 0u) {
        atomicStore(&group_flags, 0u);
    }
}

// Two digits take a number of 24 bits, `shift` of them above the first digit's lowest.
fn sums_add(digit: u32, m: u32, shift: u32, sign: u32, t: u32) {
    let at = digit * SIZE + t;
    digits[at] += i32((((m << shift) & DIGIT) ^ sign) - sign);
    digits[at + SIZE] += i32(((m >> (23u - shift)) ^ sign) - sign);
}

fn sums_push(bits: u32, t: u32) {
    let exponent = (bits >> 23u) & 255u;
    flags |= select(8u, 0u, bits == 0x80000000u);
    if (exponent == 255u) {
        flags |= select(4u, 1u + (bits >> 31u), (bits & DIGIT) == 0u);
        return;
    }
    let m = (bits & DIGIT) | (min(exponent, 1u) << 23u);
    let position = max(exponent, 1u) - 1u;
    let d = (position * 2850u) >> 16u; // position / 23
    sums_add(d, m, position - d * 23u, 0u - (bits >> 31u), t);
    if (DIGITS > SUM_DIGITS) {
        // 48 bits, as 24 and 24.
        let square = mul_wide(m, m);
        let twice = 2u * position;
        let e = (twice * 2850u) >> 16u;
        sums_add(SUM_DIGITS + e, square.x & 0xFFFFFFu, twice - e * 23u, 0u, t);
        let next = twice + 24u;
        let f = (next * 2850u) >> 16u;
        sums_add(SUM_DIGITS + f, (square.x >> 24u) | (square.y << 8u), next - f * 23u, 0u, t);
    }
}

// Whether a digit is the uppermost of its sum, and takes all that is above it.
fn is_last(d: u32) -> bool {
    return d == SUM_DIGITS - 1u || d == DIGITS - 1u;
}

fn sums_settle(t: u32) {
    var carry = 0;
    for (var d = 0u; d < DIGITS; d += 1u) {
        let v = digits[d * SIZE + t] + carry;
        digits[d * SIZE + t] = select(v & 0x7FFFFF, v, is_last(d));
        carry = select(v >> 23u, 0, is_last(d));
    }
}

// Adds what the workgroup's invocations settled to its slot; reached by all of them.
fn sums_end(t: u32, slot: u32) {
    workgroupBarrier(); // the columns are complete, and so is the store to group_flags
    atomicOr(&group_flags, flags);
    // Row by row: as many settled digits as invocations fit an i32.
    for (var d = t; d < DIGITS; d += SIZE) {
        var sum = 0;
        for (var j = 0u; j < SIZE; j += 1u) {
            sum += digits[d * SIZE + (j + t) % SIZE];
        }
        digits[d * SIZE] = sum;
    }
    workgroupBarrier();
    if (t == 0u) {
        let first = slot * (DIGITS + 1u);
        var carry = 0;
        for (var d = 0u; d < DIGITS; d += 1u) {
            let v = digits[d * SIZE] + i32(results[first + d]) + carry;
            results[first + d] = u32(select(v & 0x7FFFFF, v, is_last(d)));
            carry = select(v >> 23u, 0, is_last(d));
        }
        results[first + DIGITS] |= atomicLoad(&group_flags);
    }
}
