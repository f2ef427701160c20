// Planes of differences for fast FIR filters: along an axis with even and odd elements E and O, the planes E - O, O and
// O - E', where E' is the even element behind. FIR_Y and FIR_X say along which axes; along another, the plane is the line.
// The result is [images, planes, depth, height, width].
struct Params {
    // Elements of a plane along each axis.
    height: u32,
    width: u32,
    depth: u32,
    // Elements first..end, of one plane of all images, are made.
    first: u32,
    end: u32,
    // Positions of the extended image that outputs read: what lies beyond is taken as 0.
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
    // The vector of `weights` that holds the values outside constant boundaries: along x, y, z.
    fill_at: u32,
    unused_a: u32,
    unused_b: u32,
}

fn element(base: u32, z: i32, y: u32, x: u32) -> T {
    if (y >= p.end_y || x >= p.end_x) {
        return T();
    }
    let sy = source(i32(y) + p.start_y, p.image_y, p.boundary_y);
    let sx = source(i32(x) + p.start_x, p.image_x, p.boundary_x);
    if (z < 0) {
        return weights[p.fill_at].z;
    }
    if (sy < 0) {
        return weights[p.fill_at].y;
    }
    if (sx < 0) {
        return weights[p.fill_at].x;
    }
    return load(base + (u32(z) * p.image_y + u32(sy)) * p.image_x + u32(sx));
}

// Three rows of one column, or one, as planes.
struct Column {
    a: T,
    b: T,
    c: T,
}

fn column(base: u32, z: i32, y: u32, x: u32) -> Column {
    let e = element(base, z, y, x);
    if (!FIR_Y) {
        return Column(e, T(), T());
    }
    let o = element(base, z, y + 1u, x);
    return Column(e - o, o, o - element(base, z, y + 2u, x));
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) li: u32,
) {
    let i = p.first + ((group.z * grid.y + group.y) * grid.x + group.x) * 128u + li;
    if (i < p.end) {
        let x = i % p.width;
        let row = i / p.width;
        let y = row % p.height;
        let slab = row / p.height;
        let n = slab / p.depth;
        let base = p.image_first + n * p.image_z * p.image_y * p.image_x;
        let z = source(i32(slab % p.depth) + p.start_z, p.image_z, p.boundary_z);
        let sy = select(y, 2u * y, FIR_Y);
        let sx = select(x, 2u * x, FIR_X);
        let step = p.depth * p.height * p.width;
        let count = select(1u, 3u, FIR_Y) * select(1u, 3u, FIR_X);
        var at = n * count * step + i % step;
        let e = column(base, z, sy, sx);
        if (FIR_X) {
            let o = column(base, z, sy, sx + 1u);
            let f = column(base, z, sy, sx + 2u);
            keep(at, e.a - o.a);
            keep(at + step, o.a);
            keep(at + 2u * step, o.a - f.a);
            if (FIR_Y) {
                keep(at + 3u * step, e.b - o.b);
                keep(at + 4u * step, o.b);
                keep(at + 5u * step, o.b - f.b);
                keep(at + 6u * step, e.c - o.c);
                keep(at + 7u * step, o.c);
                keep(at + 8u * step, o.c - f.c);
            }
        } else {
            keep(at, e.a);
            keep(at + step, e.b);
            keep(at + 2u * step, e.c);
        }
    }
}
