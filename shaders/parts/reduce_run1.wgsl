// Pushes vectors v, v + step, .. below end; `origin` is the element where the run of the result starts.
fn push_run(first: u32, end: u32, step: u32, origin: u32) {
    var v = first;
    var pushed = 1u;
    while (v < end) {
        push_vec(x[v], v * PER - origin);
        v += step;
        pushed += PER;
        if (pushed > RUN - PER) {
            acc_settle();
            pushed = 0u;
        }
    }
}
