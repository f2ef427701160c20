// Sums of 64 bits, modulo 2^64, in two words.
alias Sum = vec2<u32>;

fn zero() -> Sum {
    return vec2<u32>();
}

fn madd(s: Sum, x: vec2<u32>, w: vec2<u32>) -> Sum {
    let product = multiply(x.x, w.x);
    let low = s.x + product.x;
    return vec2<u32>(low, s.y + product.y + x.x * w.y + x.y * w.x + u32(low < product.x));
}

fn recall(i: u32) -> Sum {
    return vec2<u32>(result[2u * i], result[2u * i + 1u]);
}

fn keep(i: u32, s: Sum) {
    result[2u * i] = s.x;
    result[2u * i + 1u] = s.y;
}
