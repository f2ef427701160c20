// Images of every dtype but float64, read from 32-bit words. IMAGE is the dtype's number, as below.
@group(0) @binding(0) var<storage, read> image: array<u32>;

const BOOL: u32 = 0u;
const U8: u32 = 1u;
const I8: u32 = 2u;
const U16: u32 = 3u;
const I16: u32 = 4u;
const U32: u32 = 5u;
const I32: u32 = 6u;
const U64: u32 = 7u;
const I64: u32 = 8u;
const F32: u32 = 9u;

// Element `i` of an integer image modulo 2^32; for dtypes of up to 16 bits its value.
fn low(i: u32) -> i32 {
    if (IMAGE == BOOL || IMAGE == U8) {
        return i32((image[i >> 2u] >> (8u * (i & 3u))) & 0xffu);
    }
    if (IMAGE == I8) {
        return bitcast<i32>(image[i >> 2u] << (24u - 8u * (i & 3u))) >> 24u;
    }
    if (IMAGE == U16) {
        return i32((image[i >> 1u] >> (16u * (i & 1u))) & 0xffffu);
    }
    if (IMAGE == I16) {
        return bitcast<i32>(image[i >> 1u] << (16u - 16u * (i & 1u))) >> 16u;
    }
    if (IMAGE == U64 || IMAGE == I64) {
        return bitcast<i32>(image[2u * i]);
    }
    return bitcast<i32>(image[i]);
}

// The upper 32 bits of element `i` of an integer image, extended to 64 bits.
fn high(i: u32) -> u32 {
    if (IMAGE == U64 || IMAGE == I64) {
        return image[2u * i + 1u];
    }
    if (IMAGE == U32) {
        return 0u;
    }
    return bitcast<u32>(low(i) >> 31u);
}
