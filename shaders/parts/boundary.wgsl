// What lies outside a line: the boundaries of `Boundary`, by number.
const CONSTANT: u32 = 0u;
const REFLECT: u32 = 1u;
const NEAREST: u32 = 2u;
const MIRROR: u32 = 3u;
const WRAP: u32 = 4u;

fn modulo(i: i32, n: i32) -> i32 {
    let r = i % n;
    return select(r, r + n, r < 0);
}

// The index that position `i` of the extended line reads, or -1 for the constant. `length` is below 2^30.
fn source(i: i32, length: u32, boundary: u32) -> i32 {
    let n = i32(length);
    if (i >= 0 && i < n) {
        return i;
    }
    if (boundary == REFLECT) {
        let j = modulo(i, 2 * n);
        return min(j, 2 * n - 1 - j);
    }
    if (boundary == NEAREST) {
        return clamp(i, 0, n - 1);
    }
    if (boundary == MIRROR) {
        let period = max(2 * n - 2, 1);
        let j = modulo(i, period);
        return min(j, period - j);
    }
    if (boundary == WRAP) {
        return modulo(i, n);
    }
    return -1;
}
