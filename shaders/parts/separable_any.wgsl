// What other variants know when they are compiled, read from the uniform instead: one text serves all of them.
var<private> IMAGE: u32;
var<private> DOWN: bool;

fn begin() {
    IMAGE = p.dtype;
    DOWN = p.down == 1u;
}
