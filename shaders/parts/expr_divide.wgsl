// Division and square roots of binary32 on its bits, rounded once, and exact remainders. Needs expr_arithmetic.
fn e_div(a: u32, b: u32) -> u32 {
    let sign = (a ^ b) & SIGN;
    let am = a & MAGNITUDE;
    let bm = b & MAGNITUDE;
    if (am > INF || bm > INF || (am == INF && bm == INF) || (am == 0u && bm == 0u)) {
        return NAN;
    }
    if (am == INF || bm == 0u) {
        return sign | INF;
    }
    if (am == 0u || bm == INF) {
        return sign;
    }
    let x = significand(am);
    let y = significand(bm);
    // 25 bits of a quotient in 1..2, eight at a time.
    let below = u32(x.m < y.m);
    var rest = (x.m << below) - y.m;
    var q = 1u;
    for (var i = 0u; i < 3u; i += 1u) {
        rest = rest << 8u;
        let digit = rest / y.m;
        rest -= digit * y.m;
        q = (q << 8u) | digit;
    }
    return pack(sign, x.s - y.s - i32(below), (q << 7u) | u32(rest != 0u));
}

fn e_sqrt(a: u32) -> u32 {
    let magnitude = a & MAGNITUDE;
    if (magnitude == 0u || a == INF) {
        return a;
    }
    if (a >= SIGN || magnitude > INF) {
        return NAN;
    }
    let x = significand(magnitude);
    let odd = u32(x.s & 1);
    let m = x.m << odd;
    // 26 bits of the root of m 2^26, one at a time.
    var rest = 0u;
    var q = 0u;
    for (var i = 0u; i < 26u; i += 1u) {
        let digits = select(0u, (m >> ((24u - 2u * i) & 31u)) & 3u, i < 13u);
        rest = (rest << 2u) | digits;
        let trial = (q << 2u) | 1u;
        let fits = rest >= trial;
        rest -= select(0u, trial, fits);
        q = (q << 1u) | u32(fits);
    }
    let zeros = countLeadingZeros(q);
    return pack(0u, (x.s - i32(odd)) / 2 + 18 - i32(zeros), (q << zeros) | u32(rest != 0u));
}

// The remainder with the sign of the divisor.
fn e_mod(a: u32, b: u32) -> u32 {
    let am = a & MAGNITUDE;
    let bm = b & MAGNITUDE;
    if (am >= INF || bm > INF || bm == 0u) {
        return NAN;
    }
    var rest = am;
    if (am >= bm) {
        let x = significand(am);
        let y = significand(bm);
        var m = x.m % y.m;
        // Eight binary places at a time, at most 277 in all.
        var places = x.s - y.s;
        for (var i = 0u; i < 35u && places > 0; i += 1u) {
            let step = min(places, 8);
            m = (m << u32(step)) % y.m;
            places -= step;
        }
        let zeros = countLeadingZeros(m | 1u);
        rest = select(pack(0u, y.s + 31 - i32(zeros), m << zeros), 0u, m == 0u);
    }
    if (rest == 0u) {
        return b & SIGN;
    }
    let signed = rest | (a & SIGN);
    if (((a ^ b) & SIGN) != 0u) {
        return e_add(signed, b);
    }
    return signed;
}
