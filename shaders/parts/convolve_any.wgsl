// What other variants know when they are compiled, read from the uniform instead: one text serves all of them. For problems
// too small to be worth a shader of their own.
var<private> IMAGE: u32;
var<private> PARTS: u32;
var<private> INTEGER: bool;
var<private> IMAGE_SIGNED: bool;
var<private> KERNEL_SIGNED: bool;
var<private> X_LONG: u32;
var<private> W_LONG: u32;

fn begin() {
    IMAGE = p.dtype;
    PARTS = p.kind & 3u;
    INTEGER = (p.kind & 4u) != 0u;
    IMAGE_SIGNED = (p.kind & 8u) != 0u;
    KERNEL_SIGNED = (p.kind & 16u) != 0u;
    X_LONG = (p.kind >> 5u) & 3u;
    W_LONG = (p.kind >> 7u) & 3u;
}
