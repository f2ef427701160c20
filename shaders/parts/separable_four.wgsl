// Four neighbouring elements.
fn load_four(i: u32) -> V {
    return V(load(i), load(i + 1u), load(i + 2u), load(i + 3u));
}
