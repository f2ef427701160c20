// Accumulators small enough for registers: a State per invocation, merged in workgroup memory as a tree. The parts that
// come before give State, identity, merge, read_state, write_state and settle, and push into `mine`.
var<workgroup> shared_states: array<State, WG>;
var<private> mine: State;

fn acc_begin(t: u32) {
    mine = identity();
    begin();
}

fn acc_settle() {
    settle();
}

fn acc_group(t: u32) {
    shared_states[t] = mine;
    workgroupBarrier();
    for (var half = WG / 2u; half > 0u; half >>= 1u) {
        if (t < half) {
            mine = merge(mine, shared_states[t + half]);
            shared_states[t] = mine;
        }
        workgroupBarrier();
    }
}

fn acc_flush(at: u32) {
    write_state(at, merge(read_state(at), mine));
}

fn acc_fold(at: u32) {
    mine = merge(mine, read_state(at));
}
