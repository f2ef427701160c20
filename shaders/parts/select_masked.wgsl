// Of a lane the elements that a mask tells are selected from.
@group(0) @binding(2) var<storage, read> mask: array<u32>;

fn is_taken(origin: u32, i: u32) -> bool {
    let at = origin + i * params.beside_step;
    return ((mask[at >> 2u] >> ((at & 3u) << 3u)) & 255u) != 0u;
}
