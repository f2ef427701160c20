// Fourier transforms of lines in workgroup memory, for T = f32 or f64 (Z = vec2<T>, V = vec4<T>); and what one batch of a
// convolution by them computes.
//
// The outputs of an image are cut into tiles, and two tiles are the real and the imaginary part of a complex one, which is
// here a unit: [images, depth, tiles_y, tiles_x] of them. The kernels are real, so the parts stay apart. A kernel is cut into slabs of
// part_y by part_x taps of one depth, [slabs_z, slabs_y, slabs_x]; a unit has a transform for each, over 2^log_y by 2^log_x
// elements, and the products of transforms are summed over the slabs.
struct FftParams {
    // Units of this batch: from unit_first on.
    unit_first: u32,
    units: u32,
    depth: u32,
    tiles_y: u32,
    tiles_x: u32,
    // Tiles along each axis, and from one part of a unit to the other.
    images: u32,
    real_y: u32,
    real_x: u32,
    pair_image: u32,
    pair_y: u32,
    pair_x: u32,
    log_y: u32,
    log_x: u32,
    // Outputs of a tile.
    step_y: u32,
    step_x: u32,
    slabs_z: u32,
    slabs_y: u32,
    slabs_x: u32,
    part_y: u32,
    part_x: u32,
    // Elements of a tile that are read, and positions of the extended image that are.
    reach_y: u32,
    reach_x: u32,
    end_y: u32,
    end_x: u32,
    image_x: u32,
    image_y: u32,
    image_z: u32,
    image_first: u32,
    start_x: i32,
    start_y: i32,
    start_z: i32,
    boundary_x: u32,
    boundary_y: u32,
    boundary_z: u32,
    out_x: u32,
    out_y: u32,
    out_z: u32,
    // Kernels of the result, of this batch, and how many of them a workgroup does.
    all_kernels: u32,
    kernel_first: u32,
    kernels: u32,
    each: u32,
    // Where values behind the twiddle factors of `table` are: outside the image along x, y, z, or the scale of kernels.
    table_at: u32,
    // Workgroups of this dispatch.
    groups: u32,
    // 1: results are rounded to integers.
    round: u32,
}

// Elements of a line, a power of two, and 1 if its logarithm is odd; elements of a workgroup's lines, a quarter of them per
// invocation twice; room for them.
override LENGTH: u32;
override ODD: u32;
override LINES: u32;
override INVOCATIONS: u32;
override ROOM: u32;

// Real and imaginary parts, and one place left free after every 32, so that strides of powers of two fall into different
// banks of the memory.
var<workgroup> re: array<T, ROOM>;
var<workgroup> im: array<T, ROOM>;

fn number(i: u32) -> Z {
    let at = i + (i >> 5u);
    return Z(re[at], im[at]);
}

fn put(i: u32, v: Z) {
    let at = i + (i >> 5u);
    re[at] = v.x;
    im[at] = v.y;
}

fn times(a: Z, b: Z) -> Z {
    return Z(a.x * b.x - a.y * b.y, a.x * b.y + a.y * b.x);
}

struct Four {
    a: Z,
    b: Z,
    c: Z,
    d: Z,
}

// The transform of four elements of a line, a quarter of it apart, turned as the stage with `n` done elements asks.
fn quarter(id: u32, n: u32) -> Four {
    let quarter = max(LENGTH / 4u, 1u);
    let j = id % quarter;
    let i = (id / quarter) * LENGTH + j;
    var v = Four(number(i), number(i + quarter), number(i + 2u * quarter), number(i + 3u * quarter));
    if (n > 1u) {
        let turn = (j & (n - 1u)) * (quarter / n);
        v.b = times(v.b, table[turn]);
        v.c = times(v.c, table[2u * turn]);
        v.d = times(v.d, table[3u * turn]);
    }
    let s = v.a + v.c;
    let t = v.a - v.c;
    let u = v.b + v.d;
    let w = Z(v.b.y - v.d.y, v.d.x - v.b.x);
    return Four(s + u, t + w, s - u, t - w);
}

fn put_quarter(id: u32, n: u32, v: Four) {
    let quarter = max(LENGTH / 4u, 1u);
    let j = id % quarter;
    let turn = j & (n - 1u);
    let i = (id / quarter) * LENGTH + 4u * (j - turn) + turn;
    put(i, v.a);
    put(i + n, v.b);
    put(i + 2u * n, v.c);
    put(i + 3u * n, v.d);
}

struct Two {
    a: Z,
    b: Z,
}

// The transform of two elements half a line apart: the first stage.
fn halves(id: u32) -> Two {
    let length = LENGTH / 2u;
    let i = (id / max(length, 1u)) * LENGTH + id % max(length, 1u);
    let a = number(i);
    let b = number(i + length);
    return Two(a + b, a - b);
}

// Transforms all lines in place, by Stockham's order of stages: no bits are reversed, and neighbours read neighbours.
// The memory must be written before (with a barrier), and has a barrier behind the last write.
fn transform(li: u32) {
    var n = 1u;
    if (ODD == 1u) {
        let a = halves(li);
        let b = halves(li + INVOCATIONS);
        let c = halves(li + 2u * INVOCATIONS);
        let d = halves(li + 3u * INVOCATIONS);
        workgroupBarrier();
        // Results lie side by side.
        put(2u * li, a.a);
        put(2u * li + 1u, a.b);
        put(2u * (li + INVOCATIONS), b.a);
        put(2u * (li + INVOCATIONS) + 1u, b.b);
        put(2u * (li + 2u * INVOCATIONS), c.a);
        put(2u * (li + 2u * INVOCATIONS) + 1u, c.b);
        put(2u * (li + 3u * INVOCATIONS), d.a);
        put(2u * (li + 3u * INVOCATIONS) + 1u, d.b);
        workgroupBarrier();
        n = 2u;
    }
    for (; n < LENGTH; n *= 4u) {
        let a = quarter(li, n);
        let b = quarter(li + INVOCATIONS, n);
        workgroupBarrier();
        put_quarter(li, n, a);
        put_quarter(li + INVOCATIONS, n, b);
        workgroupBarrier();
    }
}
