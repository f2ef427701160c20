// The uniform of reductions by group.
struct Params {
    start: u32,         // the elements of this dispatch, counted from where keys and values begin in their bindings
    end: u32,
    groups: u32,
    thresholds: u32,
    last_lo: u32,
    last_hi: u32,
    keys_first: u32,
    values_first: u32,
    group_first: u32,   // of medians: the groups that are looked at now
    group_count: u32,
    shift: u32,         // of medians: the lowest bit of the digit
    cells: u32,         // of histograms by group: how many bins, their thresholds behind the others, the last key
    cell_thresholds: u32,
    cells_last_lo: u32,
    cells_last_hi: u32,
    pad0: u32,
}
