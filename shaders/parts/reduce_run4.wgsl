// Pushes vectors v, v + step, .. below end, four loads in flight; `origin` is the element where the run of the result
// starts.
fn push_run(first: u32, end: u32, step: u32, origin: u32) {
    var v = first;
    var pushed = 1u;
    while (v < end && end - v > 3u * step) {
        let q0 = x[v];
        let q1 = x[v + step];
        let q2 = x[v + 2u * step];
        let q3 = x[v + 3u * step];
        let r = v * PER - origin;
        push_vec(q0, r);
        push_vec(q1, r + step * PER);
        push_vec(q2, r + 2u * step * PER);
        push_vec(q3, r + 3u * step * PER);
        v += 4u * step;
        pushed += 4u * PER;
        if (pushed > RUN - 4u * PER) {
            acc_settle();
            pushed = 0u;
        }
    }
    // At most three are left: together with what was pushed since, fewer than RUN.
    while (v < end) {
        push_vec(x[v], v * PER - origin);
        v += step;
    }
}
