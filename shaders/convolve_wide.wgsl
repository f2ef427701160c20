// Direct convolution of integers with sums of 64 or 160 bits made of 32-bit words, for any GPU: one output of one kernel
// per invocation. Images and weights are 64-bit integers, two's complement or unsigned, in two words.
@group(0) @binding(1) var<storage, read> weights: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
@group(0) @binding(3) var<uniform> p: Params;

override WX: u32;
override WY: u32;
// Elements in the tile and in the weights' block.
override TILE: u32;
override TAPS: u32;

var<workgroup> tile: array<vec2<u32>, TILE>;
var<workgroup> taps: array<vec2<u32>, TAPS>;

fn load_tile(l: vec2<u32>, image_index: u32, corner: vec3<i32>, rows: u32, width: u32) {
    let z = source(corner.z, p.image_z, p.boundary_z);
    for (var r = l.y; r < rows; r += WY) {
        let y = source(corner.y + i32(r), p.image_y, p.boundary_y);
        let base = p.image_first + ((image_index * p.image_z + u32(max(z, 0))) * p.image_y + u32(max(y, 0))) * p.image_x;
        for (var c = l.x; c < width; c += WX) {
            let x = source(corner.x + i32(c), p.image_x, p.boundary_x);
            var v: vec2<u32>;
            if (z < 0) {
                v = weights[p.fill_at + 2u];
            } else if (y < 0) {
                v = weights[p.fill_at + 1u];
            } else if (x < 0) {
                v = weights[p.fill_at];
            } else {
                v = vec2<u32>(bitcast<u32>(low(base + u32(x))), high(base + u32(x)));
            }
            tile[r * p.pitch + c] = v;
        }
    }
}

fn convolve(id: u32, l: vec2<u32>) {
    let at = place(id);
    let corner = vec2<u32>(at.tile_x * WX, at.tile_y * WY);
    let x = corner.x + l.x;
    let y = corner.y + l.y;
    let mine = x < p.out_x && y < p.out_y;
    let index = result_index(at, x, y, at.kernel_group);

    var s = zero();
    if (p.fresh == 0u && mine) {
        s = recall(index);
    }
    for (var block = p.block_first; block < p.block_end; block++) {
        let block_row = block / p.blocks_x;
        let dx = (block % p.blocks_x) * p.block_x;
        let dy = (block_row % p.blocks_y) * p.block_y;
        let dz = block_row / p.blocks_y;
        let w = min(p.block_x, p.taps_x - dx);
        let h = min(p.block_y, p.taps_y - dy);
        workgroupBarrier();
        let origin = vec3<i32>(
            i32(corner.x + dx) + p.start_x,
            i32(corner.y + dy) + p.start_y,
            i32(at.z + dz) + p.start_z,
        );
        load_tile(l, at.image, origin, WY + h - 1u, WX + w - 1u);
        let first = ((at.kernel_group * p.taps_z + dz) * p.taps_y + dy) * p.row_weights + dx;
        for (var t = l.y * WX + l.x; t < h * w; t += WX * WY) {
            taps[t] = weights[first + (t / w) * p.row_weights + t % w];
        }
        workgroupBarrier();
        for (var r = 0u; r < h; r++) {
            for (var c = 0u; c < w; c++) {
                s = madd(s, tile[(l.y + r) * p.pitch + l.x + c], taps[r * w + c]);
            }
        }
    }
    if (mine) {
        keep(index, s);
    }
}

@compute @workgroup_size(WX, WY)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_id) l: vec3<u32>,
) {
    let id = p.group_first + (group.z * grid.y + group.y) * grid.x + group.x;
    if (id < p.group_end) {
        convolve(id, l.xy);
    }
}
