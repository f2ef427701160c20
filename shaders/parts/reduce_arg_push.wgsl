// An invocation meets its elements in ascending order: only a better key replaces, or the very first element.
fn push(e: vec2<u32>, r: u32) {
    let k = key(e);
    let better = above(k, mine.key) | ((mine.index.x | mine.index.y) == 0u);
    let low = params.base_lo + r;
    let index = ~vec2<u32>(low, params.base_hi + select(0u, 1u, low < r));
    mine.key = select(mine.key, k, better);
    mine.index = select(mine.index, index, better);
}
