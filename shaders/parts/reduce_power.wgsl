// The power of the element's magnitude. Needs double_power and reduce_push_f64.
fn acc_push(e: vec2<u32>, r: u32) {
    let x = double_of(e);
    if (!SKIP || !d_is_nan(d_magnitude(x))) {
        push_double(d_norm_term(x, vec2<u32>(params.power_low, params.power_high)));
    }
}
