// One or two passes of a separable filter in one go, for T = f32 or f64 (V = vec4<T>): down an axis and along the one behind
// it. The array is [outer, length_y, length_x, inner], the result [outer, outputs_y, outputs_x, inner]; a row is all elements
// behind the first of the two axes. Every sum takes the weights in their order with one `madd` each, as separable.wgsl does.
//
// A workgroup makes a tile of `width` elements by `height` rows (2,048 at most). First the sums down of the tile and of what
// the row pass reads beside it: an invocation makes 4 rows of 4 neighbouring elements, so that an element that is loaded
// serves 4 sums, 8- and 16-bit elements come packed, and neighbours read neighbouring words. They go to workgroup memory,
// skewed so that 32 invocations a multiple of 4 apart meet 32 banks. Then the sums along: an invocation makes 8 of them,
// `inner` elements apart, from a window in registers. They go back to workgroup memory, and from there to the result in
// order, rounded and packed where STORE is 8 or 16 bits.
override TILE: u32;

var<workgroup> tile: array<T, TILE>;

struct Params {
    length_y: u32,
    outputs_y: u32,
    start_y: i32,
    boundary_y: u32,
    taps_y: u32,
    length_x: u32,
    outputs_x: u32,
    start_x: i32,
    boundary_x: u32,
    taps_x: u32,
    inner: u32,
    // The array's first element in `image`.
    first: u32,
    // The vectors of `weights` with the first weight along x, and with the values outside along y and x.
    along_at: u32,
    fill_at: u32,
    width: u32,
    height: u32,
    // Elements of a row of sums in the tile: the width, what the row pass reads beside it, up to whole vectors.
    pitch: u32,
    tiles_y: u32,
    tiles_x: u32,
    group_first: u32,
    group_end: u32,
    unused_a: u32,
    unused_b: u32,
    unused_c: u32,
}

// Where an element of the tile lies.
fn at(e: u32) -> u32 {
    return e + (e >> 5u);
}

// Four neighbouring elements of a row, as far as they lie inside.
struct Quad {
    // Of elements that lie side by side: the first one.
    together: bool,
    index: vec4<u32>,
    // Which are the constant outside along x.
    outside: vec4<bool>,
}

fn place(e: i32) -> vec2<i32> {
    let inner = i32(p.inner);
    // Floored, for elements before the row.
    let x = (e + 32768 * inner) / inner - 32768;
    let j = source(x, p.length_x, p.boundary_x);
    return vec2<i32>(max(j, 0) * inner + e - x * inner, j);
}

fn quad(e: i32) -> Quad {
    if (e >= 0 && e + 3 < i32(p.length_x * p.inner)) {
        return Quad(true, vec4<u32>(u32(e)) + vec4<u32>(0u, 1u, 2u, 3u), vec4<bool>());
    }
    let a = place(e);
    let b = place(e + 1);
    let c = place(e + 2);
    let d = place(e + 3);
    let index = vec4<u32>(vec4<i32>(a.x, b.x, c.x, d.x));
    return Quad(false, index, vec4<i32>(a.y, b.y, c.y, d.y) < vec4<i32>());
}

fn row(q: Quad, o: u32, y: i32) -> V {
    let j = source(y, p.length_y, p.boundary_y);
    if (j < 0) {
        return V(weights[p.fill_at].x);
    }
    let base = p.first + (o * p.length_y + u32(j)) * p.length_x * p.inner;
    if (q.together) {
        return load_four(base + q.index.x);
    }
    return V(load(base + q.index.x), load(base + q.index.y), load(base + q.index.z), load(base + q.index.w));
}

struct Sums {
    a: V,
    b: V,
    c: V,
    d: V,
}

fn down(q: Quad, o: u32, first: i32) -> Sums {
    var s = Sums(V(), V(), V(), V());
    var y = first;
    var a = row(q, o, y);
    var b = row(q, o, y + 1);
    var c = row(q, o, y + 2);
    y += 3;
    let whole = p.taps_y >> 2u;
    for (var t = 0u; t < whole; t++) {
        let w = weights[t];
        let d = row(q, o, y);
        s = Sums(madd(a, V(w.x), s.a), madd(b, V(w.x), s.b), madd(c, V(w.x), s.c), madd(d, V(w.x), s.d));
        a = row(q, o, y + 1);
        s = Sums(madd(b, V(w.y), s.a), madd(c, V(w.y), s.b), madd(d, V(w.y), s.c), madd(a, V(w.y), s.d));
        b = row(q, o, y + 2);
        s = Sums(madd(c, V(w.z), s.a), madd(d, V(w.z), s.b), madd(a, V(w.z), s.c), madd(b, V(w.z), s.d));
        c = row(q, o, y + 3);
        s = Sums(madd(d, V(w.w), s.a), madd(a, V(w.w), s.b), madd(b, V(w.w), s.c), madd(c, V(w.w), s.d));
        y += 4;
    }
    for (var t = 4u * whole; t < p.taps_y; t++) {
        let w = V(weights[t >> 2u][t & 3u]);
        let d = row(q, o, y);
        s = Sums(madd(a, w, s.a), madd(b, w, s.b), madd(c, w, s.c), madd(d, w, s.d));
        a = b;
        b = c;
        c = d;
        y++;
    }
    return s;
}

fn put(e: u32, v: V) {
    tile[at(e)] = v.x;
    tile[at(e + 1u)] = v.y;
    tile[at(e + 2u)] = v.z;
    tile[at(e + 3u)] = v.w;
}

// Eight sums along a row of the tile, `inner` elements apart: of elements e, e + inner, ...
fn along(e: u32) -> array<V, 2> {
    let n = p.inner;
    var low = V();
    var high = V();
    var a = V(tile[at(e)], tile[at(e + n)], tile[at(e + 2u * n)], tile[at(e + 3u * n)]);
    var b = V(tile[at(e + 4u * n)], tile[at(e + 5u * n)], tile[at(e + 6u * n)], tile[at(e + 7u * n)]);
    var i = e + 8u * n;
    let whole = (p.taps_x - 1u) >> 2u;
    for (var t = 0u; t < whole; t++) {
        let w = weights[p.along_at + t];
        let c = V(tile[at(i)], tile[at(i + n)], tile[at(i + 2u * n)], tile[at(i + 3u * n)]);
        low = madd(a, V(w.x), low);
        high = madd(b, V(w.x), high);
        low = madd(V(a.yzw, b.x), V(w.y), low);
        high = madd(V(b.yzw, c.x), V(w.y), high);
        low = madd(V(a.zw, b.xy), V(w.z), low);
        high = madd(V(b.zw, c.xy), V(w.z), high);
        low = madd(V(a.w, b.xyz), V(w.w), low);
        high = madd(V(b.w, c.xyz), V(w.w), high);
        a = b;
        b = c;
        i += 4u * n;
    }
    // One to four taps are left.
    let left = p.taps_x - 4u * whole;
    for (var t = 0u; t < left; t++) {
        let w = V(weights[p.along_at + whole][t]);
        low = madd(a, w, low);
        high = madd(b, w, high);
        if (t + 1u < left) {
            a = V(a.yzw, b.x);
            b = V(b.yzw, tile[at(i)]);
            i += n;
        }
    }
    return array<V, 2>(low, high);
}

// The first element of the `i`th eight sums of the tile, in the tile's coordinates; beyond the tile's end where there are no
// so many.
fn eight(i: u32) -> u32 {
    let of_row = p.width >> 3u;
    let r = i % of_row;
    return (i / of_row) * p.pitch + (r / p.inner) * 8u * p.inner + r % p.inner;
}

fn put_eight(e: u32, v: array<V, 2>) {
    let n = p.inner;
    tile[at(e)] = v[0].x;
    tile[at(e + n)] = v[0].y;
    tile[at(e + 2u * n)] = v[0].z;
    tile[at(e + 3u * n)] = v[0].w;
    tile[at(e + 4u * n)] = v[1].x;
    tile[at(e + 5u * n)] = v[1].y;
    tile[at(e + 6u * n)] = v[1].z;
    tile[at(e + 7u * n)] = v[1].w;
}

fn filter_tile(id: u32, li: u32) {
    let tile_x = (id % p.tiles_x) * p.width;
    let tile_y = (id / p.tiles_x % p.tiles_y) * p.height;
    let o = id / p.tiles_x / p.tiles_y;

    let quads = p.pitch >> 2u;
    for (var i = li; i < quads * (p.height >> 2u); i += 128u) {
        let e = 4u * (i % quads);
        let y = 4u * (i / quads);
        // What lies below the result's end has no use.
        if (tile_y + y < p.outputs_y) {
            let q = quad(i32(tile_x + e) + p.start_x * i32(p.inner));
            var s = down(q, o, i32(tile_y + y) + p.start_y);
            if (any(q.outside)) {
                let fill = V(weights[p.fill_at].y);
                s = Sums(
                    select(s.a, fill, q.outside),
                    select(s.b, fill, q.outside),
                    select(s.c, fill, q.outside),
                    select(s.d, fill, q.outside),
                );
            }
            let k = y * p.pitch + e;
            put(k, s.a);
            put(k + p.pitch, s.b);
            put(k + 2u * p.pitch, s.c);
            put(k + 3u * p.pitch, s.d);
        }
    }
    workgroupBarrier();

    let eights = (p.width >> 3u) * p.height;
    let k = eight(li);
    let l = eight(li + 128u);
    var s: array<V, 2>;
    var u: array<V, 2>;
    if (li < eights) {
        s = along(k);
    }
    if (li + 128u < eights) {
        u = along(l);
    }
    workgroupBarrier();
    if (li < eights) {
        put_eight(k, s);
    }
    if (li + 128u < eights) {
        put_eight(l, u);
    }
    workgroupBarrier();

    let row = p.outputs_x * p.inner;
    let of_row = p.width / PER;
    for (var i = li; i < of_row * p.height; i += 128u) {
        let x = PER * (i % of_row);
        let y = i / of_row;
        if (tile_x + x < row && tile_y + y < p.outputs_y) {
            store((o * p.outputs_y + tile_y + y) * row + tile_x + x, y * p.pitch + x);
        }
    }
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) li: u32,
) {
    let id = p.group_first + (group.z * grid.y + group.y) * grid.x + group.x;
    if (id < p.group_end) {
        filter_tile(id, li);
    }
}
