// Importance sampling: coordinates in the cells of a grid, and squares counted there. Needs expr_words, `cells` and `counts`.
const BINS = 128u;
const BIN_BITS = 7u;

struct Place {
    cell: u32,
    x: u32,
    weight: u32,
}

fn place_in_cell(word: u32, axis: u32) -> Place {
    let at = axis * BINS + (word >> (32u - BIN_BITS));
    let cell = cells[at];
    return Place(at, e_add(cell.x, e_mul(cell.y, fraction(word << BIN_BITS))), cell.z);
}

// The square in units of 2^scale, rounded down, 2^39 at most.
fn units(a: u32, scale: i32) -> vec2<u32> {
    let magnitude = a & MAGNITUDE;
    let most = vec2<u32>(0u, 128u);
    if (magnitude >= INF) {
        return select(most, vec2<u32>(0u, 0u), magnitude > INF || scale >= 1024);
    }
    let x = significand(magnitude);
    let p = mul_wide(x.m, x.m);
    if (x.m == 0u) {
        return vec2<u32>(0u, 0u);
    }
    // The product has 47 or 48 bits.
    let shift = 2 * x.s - scale;
    let bits = 64 - i32(wide_zeros(p)) + shift;
    if (bits > 39) {
        return most;
    }
    if (bits <= 0) {
        return vec2<u32>(0u, 0u);
    }
    return select(wide_shr(p, u32(clamp(-shift, 0, 63))), wide_shl(p, u32(clamp(shift, 0, 63))), shift > 0);
}

// Adds to a count of 64 bits, low word first.
fn count(cell: u32, more: vec2<u32>) {
    if ((more.x | more.y) != 0u) {
        let old = atomicAdd(&counts[2u * cell], more.x);
        let carry = more.y + u32(old + more.x < old);
        if (carry != 0u) {
            atomicAdd(&counts[2u * cell + 1u], carry);
        }
    }
}
