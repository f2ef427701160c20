// Blocks of taps on a tile in workgroup memory, for T = f32, i32, i64 or f64 (V = vec4<T>).
//
// Every invocation keeps 16 sums, one per output, and adds the taps to each in row-major order with one `madd` per tap.
// The 16 sums are
//   BANK: 4 outputs side by side for each of 4 kernels (the weights of a tap are one vector over the kernels);
//   STRIP > 0: 4 vectors of 4 outputs, one below the other, for one kernel of STRIP taps along x, 8 at most;
//   else: 4 vectors of 4 outputs, STEP_Y rows and STEP_X vectors apart, for one kernel (a vector of weights is 4 taps side
//   by side).
// 4 taps cost 16 vector multiply-adds and 5 vector loads from workgroup memory. In a strip, every row of the tile serves all
// four rows of outputs: STRIP x h taps take h + 3 times 2 or 3 loads of elements, and h or 2h of weights.
override WX: u32;
override WY: u32;
override STEP_X: u32;
override STEP_Y: u32;
override STRIP: u32;
// Vectors in the tile and in the weights' block; outputs of a workgroup: 4 * TILE_X by TILE_Y.
override TILE: u32;
override TAPS: u32;
override TILE_X: u32;
override TILE_Y: u32;

var<workgroup> tile: array<V, TILE>;
var<workgroup> taps: array<V, TAPS>;

struct Sums {
    a: V,
    b: V,
    c: V,
    d: V,
}

// One tap of four kernels, `w`, on the outputs that read `x`.
fn bank(s: Sums, w: V, x: V) -> Sums {
    return Sums(madd(V(x.x), w, s.a), madd(V(x.y), w, s.b), madd(V(x.z), w, s.c), madd(V(x.w), w, s.d));
}

// Four taps of one kernel, `w`, on four outputs; a and b are what lies below the first tap, and the next four elements.
fn quad(sum: V, w: V, a: V, b: V) -> V {
    var s = madd(a, V(w.x), sum);
    s = madd(V(a.yzw, b.x), V(w.y), s);
    s = madd(V(a.zw, b.xy), V(w.z), s);
    return madd(V(a.w, b.xyz), V(w.w), s);
}

// The first `n` (1 to 3) of four taps. A tap that is not there must not be multiplied: 0 * infinity is not 0.
fn part(sum: V, w: V, a: V, b: V, n: u32) -> V {
    var s = madd(a, V(w.x), sum);
    if (n > 1u) {
        s = madd(V(a.yzw, b.x), V(w.y), s);
    }
    if (n > 2u) {
        s = madd(V(a.zw, b.xy), V(w.z), s);
    }
    return s;
}

// A row of STRIP taps, `v` and `u`, on four outputs; a, b and c are what lies below the first tap, and behind.
fn line(sum: V, v: V, u: V, a: V, b: V, c: V) -> V {
    var s = madd(a, V(v.x), sum);
    if (STRIP > 1u) {
        s = madd(V(a.yzw, b.x), V(v.y), s);
    }
    if (STRIP > 2u) {
        s = madd(V(a.zw, b.xy), V(v.z), s);
    }
    if (STRIP > 3u) {
        s = madd(V(a.w, b.xyz), V(v.w), s);
    }
    if (STRIP > 4u) {
        s = madd(b, V(u.x), s);
    }
    if (STRIP > 5u) {
        s = madd(V(b.yzw, c.x), V(u.y), s);
    }
    if (STRIP > 6u) {
        s = madd(V(b.zw, c.xy), V(u.z), s);
    }
    if (STRIP > 7u) {
        s = madd(V(b.w, c.xyz), V(u.w), s);
    }
    return s;
}

// `h` rows of STRIP taps: the weights of the last four rows move on from one row of outputs to the next.
fn add_strip(sums: Sums, l: vec2<u32>, h: u32) -> Sums {
    var s = sums;
    var v = Sums(V(), V(), V(), V());
    var u = v;
    var b = V();
    var c = V();
    var i = 4u * l.y * p.pitch + l.x;
    for (var r = 0u; r < h + 3u; r++) {
        let a = tile[i];
        if (STRIP > 1u) {
            b = tile[i + 1u];
        }
        if (STRIP > 5u) {
            c = tile[i + 2u];
        }
        let t = min(r, h - 1u);
        if (STRIP > 4u) {
            v = Sums(taps[2u * t], v.a, v.b, v.c);
            u = Sums(taps[2u * t + 1u], u.a, u.b, u.c);
        } else {
            v = Sums(taps[t], v.a, v.b, v.c);
        }
        if (r < h) {
            s.a = line(s.a, v.a, u.a, a, b, c);
        }
        if (r > 0u && r < h + 1u) {
            s.b = line(s.b, v.b, u.b, a, b, c);
        }
        if (r > 1u && r < h + 2u) {
            s.c = line(s.c, v.c, u.c, a, b, c);
        }
        if (r > 2u) {
            s.d = line(s.d, v.d, u.d, a, b, c);
        }
        i += p.pitch;
    }
    return s;
}

// Adds `h` rows of `w` taps, the block of weights in `taps`, to the sums of invocation `l`.
fn add_block(sums: Sums, l: vec2<u32>, h: u32, w: u32) -> Sums {
    if (STRIP > 0u) {
        return add_strip(sums, l, h);
    }
    var s = sums;
    let quads = w >> 2u;
    let rest = w & 3u;
    let step = STEP_Y * p.pitch + STEP_X;
    let row = (w + 3u) >> 2u;
    if (BANK) {
        for (var r = 0u; r < h; r++) {
            var i = (l.y + r) * p.pitch + l.x;
            var t = r * w;
            var a = tile[i];
            for (var q = 0u; q < quads; q++) {
                i++;
                let b = tile[i];
                s = bank(s, taps[t], a);
                s = bank(s, taps[t + 1u], V(a.yzw, b.x));
                s = bank(s, taps[t + 2u], V(a.zw, b.xy));
                s = bank(s, taps[t + 3u], V(a.w, b.xyz));
                t += 4u;
                a = b;
            }
            if (rest > 0u) {
                s = bank(s, taps[t], a);
            }
            if (rest > 1u) {
                let b = tile[i + 1u];
                s = bank(s, taps[t + 1u], V(a.yzw, b.x));
                if (rest > 2u) {
                    s = bank(s, taps[t + 2u], V(a.zw, b.xy));
                }
            }
        }
    } else {
        for (var r = 0u; r < h; r++) {
            var i = (l.y + r) * p.pitch + l.x;
            var t = r * row;
            var a = Sums(tile[i], tile[i + step], tile[i + 2u * step], tile[i + 3u * step]);
            for (var q = 0u; q < quads; q++) {
                i++;
                let b = Sums(tile[i], tile[i + step], tile[i + 2u * step], tile[i + 3u * step]);
                let v = taps[t];
                s = Sums(quad(s.a, v, a.a, b.a), quad(s.b, v, a.b, b.b), quad(s.c, v, a.c, b.c), quad(s.d, v, a.d, b.d));
                t++;
                a = b;
            }
            if (rest > 0u) {
                let v = taps[t];
                // With one tap left the next vector may lie outside the tile and is not used.
                let n = i + select(0u, 1u, rest > 1u);
                let b = Sums(tile[n], tile[n + step], tile[n + 2u * step], tile[n + 3u * step]);
                s = Sums(
                    part(s.a, v, a.a, b.a, rest),
                    part(s.b, v, a.b, b.b, rest),
                    part(s.c, v, a.c, b.c, rest),
                    part(s.d, v, a.d, b.d, rest),
                );
            }
        }
    }
    return s;
}
