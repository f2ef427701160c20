// An expression in float64 at every element or sample: the steps of a tape, one after the other, on the bits of binary64. The
// shader is compiled once for each set of its longest operations that tapes need (DIVIDES, ROOTS, REMAINDERS, TURNS, GRID), whatever
// the expression: drivers that execute whole vectors run every case in every step. The numbers of the operations, REGISTERS and
// `of_place(op, number, a, at)`, what the place of an element gives, are joined in front, with parts double_arithmetic,
// double_divide, double_order and double_bits.
//
// A step is (operation, in the second byte the register it goes to, in the upper half a number of its own; three operands).
// Operands from REGISTERS on are numbers behind the steps.

// The value of an earlier step, or a number.
fn operand(registers: ptr<function, array<vec2<u32>, REGISTERS>>, place: u32) -> vec2<u32> {
    var y = vec2<u32>(0u, 0u);
    if (place < REGISTERS) {
        y = (*registers)[place];
    } else {
        let pair = tape[params.tape.x + (place - REGISTERS) / 2u];
        y = select(pair.xy, pair.zw, (place & 1u) == ((REGISTERS + 1u) & 1u));
    }
    return y;
}

@compute @workgroup_size(SIZE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = ((group.z * groups.y + group.y) * groups.x + group.x) * SIZE + local;
    var registers: array<vec2<u32>, REGISTERS>;
    let steps = select(0u, params.tape.x, at < params.count);
    for (var i = 0u; i < steps; i += 1u) {
        let step = tape[i];
        let a = operand(&registers, step.y);
        let b = operand(&registers, step.z);
        let am = d_magnitude(a);
        var y = vec2<u32>(0u, 0u);
        switch (step.x & 255u) {
            case ADD, SUB: {
                y = d_add(a, vec2<u32>(b.x, b.y ^ select(0u, D_SIGN, (step.x & 255u) == SUB)));
            }
            case MUL: {
                y = d_mul(a, b);
            }
            case DIV: {
                if (DIVIDES) {
                    y = d_div(a, b);
                }
            }
            case SQRT: {
                if (ROOTS) {
                    y = d_sqrt(a);
                }
            }
            case REM: {
                if (REMAINDERS) {
                    y = d_rem(a, b);
                }
            }
            case NEG: {
                y = vec2<u32>(a.x, a.y ^ D_SIGN);
            }
            case ABS: {
                y = am;
            }
            case NOT: {
                y = d_truth(!d_is_true(a));
            }
            case MIN: {
                y = d_min(a, b);
            }
            case MAX: {
                y = d_max(a, b);
            }
            case LESS: {
                y = d_truth(!d_unordered(a, b) && is_less64(d_key(a), d_key(b)));
            }
            case LESS_EQUAL: {
                y = d_truth(!d_unordered(a, b) && !is_less64(d_key(b), d_key(a)));
            }
            case EQUAL, NOT_EQUAL: {
                let key = d_key(a) ^ d_key(b);
                let equal = !d_unordered(a, b) && is_zero64(key);
                y = d_truth(equal == ((step.x & 255u) == EQUAL));
            }
            case AND: {
                y = d_truth(d_is_true(a) && d_is_true(b));
            }
            case OR: {
                y = d_truth(d_is_true(a) || d_is_true(b));
            }
            case WHERE: {
                y = select(operand(&registers, step.w), b, d_is_true(a));
            }
            case TRUNC: {
                y = d_trunc(a);
            }
            case ROUND: {
                y = d_round(a);
            }
            case COPY_SIGN: {
                y = vec2<u32>(a.x, am.y | (b.y & D_SIGN));
            }
            case UPPER: {
                y = vec2<u32>(0u, a.y);
            }
            case EXPONENT: {
                y = d_exponent(a);
            }
            case SIGNIFICAND: {
                y = d_fraction(a);
            }
            case POWER_OF_TWO: {
                y = d_power_of_two(a);
            }
            case QUARTERS, ANGLE, ANGLE_REST: {
                if (TURNS) {
                    y = d_turns(a, (step.x & 255u) - QUARTERS);
                }
            }
            case RESULT: {
                y = select(a, D_NAN, d_is_nan(am));
                results[2u * (params.place + at)] = y.x;
                results[2u * (params.place + at) + 1u] = y.y;
            }
            default: {
                y = of_place(step.x & 255u, step.x >> 16u, a, b, at);
            }
        }
        registers[(step.x >> 8u) & 255u] = y;
    }
}
