// Sums and results of dtypes that are known when the shader is compiled.
const FLOAT: bool = RAW >= RAW_F32;
const BIAS: u32 = select(1075u, 150u, RAW == RAW_F32);

fn begin() {}
