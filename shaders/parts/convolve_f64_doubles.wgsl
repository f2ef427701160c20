// Images of float64.
@group(0) @binding(0) var<storage, read> image: array<f64>;

fn load(i: u32) -> f64 {
    return image[i];
}
