fn push(e: vec2<u32>, r: u32) {
    let k = key(e);
    mine.key = select(mine.key, k, above(k, mine.key));
}
