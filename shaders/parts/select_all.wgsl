// Every element of a lane is selected from.
fn is_taken(origin: u32, i: u32) -> bool {
    return true;
}
