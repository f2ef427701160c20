// What the place of a sample gives to a tape: fractions for its coordinates, and of importance sampling cells and counts. Needs
// double_order, `word_of(sample, axis)`, `cells`, `counts`, and GRID, whether there are cells.

// The middle of one of 2^32 cells: (word + 1/2) 2^-32, exact.
fn fraction64(word: u32) -> vec2<u32> {
    let odd = vec2<u32>((word << 1u) | 1u, word >> 31u);
    let zeros = leading_zeros64(odd);
    return d_pack(0u, 30 - i32(zeros), shift_left64(odd, zeros));
}

// What importance sampling adds.
fn of_grid(op: u32, axis: u32, word: u32, a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    var y = vec2<u32>(0u, 0u);
    switch (op) {
        case CELL: {
            y = vec2<u32>(axis * BINS + (word >> (32u - BIN_BITS)), 0u);
        }
        case CELL_START: {
            y = cells[2u * a.x].xy;
        }
        case CELL_WIDTH: {
            y = cells[2u * a.x].zw;
        }
        case CELL_WEIGHT: {
            y = cells[2u * a.x + 1u].xy;
        }
        case COUNT: {
            // Whole units, 2^39 at most; nothing of numbers below 0.
            let whole = select(d_whole(d_magnitude(b)), vec2<u32>(0u, 0u), b.y >= D_SIGN);
            let units = select(whole, vec2<u32>(0u, 128u), whole.y >= 128u);
            let old = atomicAdd(&counts[2u * a.x], units.x);
            let carry = units.y + u32(old + units.x < old);
            if (carry != 0u) {
                atomicAdd(&counts[2u * a.x + 1u], carry);
            }
        }
        default: {}
    }
    return y;
}

fn of_place(op: u32, axis: u32, a: vec2<u32>, b: vec2<u32>, at: u32) -> vec2<u32> {
    let sample = add64(params.first, vec2<u32>(at, 0u));
    var y = vec2<u32>(0u, 0u);
    var word = 0u;
    if (op == FRACTION || (GRID && (op == CELL || op == FRACTION_IN_CELL))) {
        word = word_of(sample, axis);
    }
    if (GRID) {
        y = of_grid(op, axis, word, a, b);
    }
    if (op == FRACTION || op == FRACTION_IN_CELL) {
        y = fraction64(select(word, word << BIN_BITS, op == FRACTION_IN_CELL));
    }
    if (op == FLAG) {
        // Whether the square has digits that no number of binary64 has, or none.
        let m = d_magnitude(a);
        if (!is_zero64(m) && (m.y < LEAST_EXACT || m.y >= MOST_EXACT)) {
            atomicOr(&counts[params.tape.y], 1u);
        }
    }
    return y;
}
