// Exact sum of floats: a fixed-point number over the whole range of the type, in signed digits of 23 bits, one column of
// digits per invocation in workgroup memory. A mantissa touches two digits (f32) or four (f64); a digit takes 256
// additions before its carry must move on. No float arithmetic: every device gives the same bits.
//
// State: digits 0..DIGITS in [0, 2^23), the last one signed; then the flags: 1 +inf, 2 -inf, 4 NaN, 8 anything but -0.
const WORDS: u32 = DIGITS + 1u;
const MASK: u32 = 0x7fffffu;

var<workgroup> digits: array<i32, DIGITS * WG>;
var<workgroup> group_flags: atomic<u32>;
var<private> lane: u32;
var<private> flags: u32;
var<private> other: u32;

fn acc_begin(t: u32) {
    lane = t;
    flags = 0u;
    other = 0u;
    for (var d = 0u; d < DIGITS; d++) {
        digits[d * WG + t] = 0;
    }
    if (t == 0u) {
        atomicStore(&group_flags, 0u);
    }
}

fn acc_settle() {
    var carry = 0;
    for (var d = 0u; d < DIGITS - 1u; d++) {
        let v = digits[d * WG + lane] + carry;
        digits[d * WG + lane] = v & 0x7fffff;
        carry = v >> 23u;
    }
    digits[(DIGITS - 1u) * WG + lane] += carry;
    if (other != 0u) {
        flags |= 8u;
    }
}

fn acc_group(t: u32) {
    workgroupBarrier(); // the columns are complete, and so is the store to group_flags in acc_begin
    atomicOr(&group_flags, flags);
    // Row by row: 256 settled digits fit an i32.
    for (var d = t; d < DIGITS; d += WG) {
        var sum = 0;
        for (var j = 0u; j < WG; j++) {
            sum += digits[d * WG + (j + t) % WG];
        }
        digits[d * WG] = sum;
    }
    workgroupBarrier();
    if (t == 0u) {
        flags = atomicLoad(&group_flags);
        acc_settle();
    }
}

fn acc_flush(at: u32) {
    var carry = 0;
    var i = at;
    for (var d = 0u; d < DIGITS - 1u; d++) {
        let v = i32(state[i]) + digits[d * WG + lane] + carry;
        state[i] = u32(v) & MASK;
        carry = v >> 23u;
        i += params.n;
    }
    state[i] = u32(i32(state[i]) + digits[(DIGITS - 1u) * WG + lane] + carry);
    i += params.n;
    state[i] |= flags;
}

fn acc_fold(at: u32) {
    for (var d = 0u; d < DIGITS; d++) {
        digits[d * WG + lane] += i32(state[at + d * params.n]);
    }
    flags |= state[at + DIGITS * params.n];
}
