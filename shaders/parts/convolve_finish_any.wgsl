// What other variants know when they are compiled, read from the uniform instead: one text serves all of them.
var<private> RAW: u32;
var<private> OUT: u32;
var<private> POLICY: u32;
var<private> FLOAT: bool;
var<private> BIAS: u32;

fn begin() {
    RAW = p.raw;
    OUT = p.out;
    POLICY = p.policy;
    FLOAT = RAW >= RAW_F32;
    BIAS = select(1075u, 150u, RAW == RAW_F32);
}
