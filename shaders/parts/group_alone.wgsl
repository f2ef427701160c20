// An element counts for its group.
fn count_of(i: u32) -> u32 {
    return group_of(order_key(params.keys_first + i));
}
