// Every dtype but float64 as binary64. A 64-bit integer is rounded once, by the addition.
fn load(i: u32) -> f64 {
    if (IMAGE == F32) {
        return f64(bitcast<f32>(image[i]));
    }
    if (IMAGE == I64) {
        return f64(bitcast<i32>(high(i))) * 4294967296.0lf + f64(bitcast<u32>(low(i)));
    }
    if (IMAGE == U64 || IMAGE == U32) {
        return f64(high(i)) * 4294967296.0lf + f64(bitcast<u32>(low(i)));
    }
    return f64(low(i));
}
