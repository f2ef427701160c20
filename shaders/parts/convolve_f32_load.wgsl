// Every dtype of up to 16 bits, and float32, as binary32.
fn load(i: u32) -> f32 {
    if (IMAGE == F32) {
        return bitcast<f32>(image[i]);
    }
    return f32(low(i));
}
