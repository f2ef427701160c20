// One element, weight and sum at a time, for T = f32, i32, i64 or f64. A vector of weights is four taps side by side.
alias Item = T;

fn zero() -> T {
    return T();
}

fn item(i: u32) -> T {
    return load(i);
}

// The value outside along an axis, of one part of complex ones.
fn outside(axis: u32, part: u32) -> T {
    return weights[p.fill_at + part][axis];
}

fn weight(row: u32, x: u32) -> T {
    return weights[row + (x >> 2u)][x & 3u];
}

fn add_tap(s: T, x: T, w: T) -> T {
    return madd(V(x), V(w), V(s)).x;
}
