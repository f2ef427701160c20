// Sums of a tile as they are.
const PER: u32 = 1u;

fn store(i: u32, e: u32) {
    keep(i, tile[at(e)]);
}
