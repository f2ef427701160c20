//! Exact sums of floats in every number of words, from tiles and one by one: the bits of the CPU, which has tests against
//! exact arithmetic. (What users call takes the shaders for small problems.)

use super::general::on_cpu;
use super::*;
use crate::plan::Accuracy;

/// Values whose exponents lie up to `binades` apart; of integers, of so many bits.
fn values(random: &mut Random, dtype: Dtype, n: usize, binades: usize) -> HostVec {
    if !dtype.is_float() {
        let most = if binades >= 127 { i128::MAX } else { (1 << binades) - 1 };
        return integers(dtype, &(0..n).map(|_| random.integer(dtype, most)).collect::<Vec<_>>());
    }
    let mut one = || match random.below(12) {
        0 => 0.0,
        1 => -1.0,
        _ => (random.below(1 << 40) as f64 - 2f64.powi(39)) * 2f64.powi(random.below(binades + 1) as i32 - binades as i32 / 2),
    };
    with_dtype!(dtype, T => vec_of((0..n).map(|_| <T as Cast>::of_float(one()))))
}

#[test]
fn every_number_of_words_gives_the_bits_of_the_cpu() {
    use Dtype::{F32, F64, I16, I64, U64};
    for engine in engines() {
        let context = engine.context().unwrap();
        let mut random = Random(401);
        let cases = [
            (F32, F32, 0),
            (F32, F32, 30),
            (F32, F32, 60),
            (F32, F32, 100),
            (I16, F64, 0),
            (F64, F64, 0),
            (F64, F32, 60),
            (F64, F64, 150),
            (F64, F64, 200),
            (F64, F64, 900),
            (I64, F32, 20),
            (U64, F64, 80),
            (F32, U64, 127),
            (F64, I64, 127),
            (I64, F64, 900),
            (F64, I64, 900),
        ];
        for (round, (image, kernel, binades)) in cases.into_iter().enumerate() {
            let how = Convolve::d2().same().boundary(random.pick(&[Boundary::Constant(3.0), Boundary::Mirror]));
            let how = if round % 2 == 1 { how.stride(&[2, 1]) } else { how };
            let how = how.accuracy(Accuracy::Exact);
            let plan = ConvolvePlan::new(&how, Direction::Convolve, (image, &[2, 13, 21]), (kernel, &[5, 3, 4])).unwrap();
            let [n, k] = shapes(&plan).map(|shape| shape.iter().product::<usize>());
            let (x, w) = (values(&mut random, image, n, binades), values(&mut random, kernel, k, binades));
            let wanted = floats(&on_cpu(&plan, &x, &w).unwrap());
            for small in [0, u64::MAX] {
                let manner = Manner { bounds: Bounds { small, ..Manner::PLAIN.bounds }, ..Manner::random(&mut random) };
                let found = floats(&run_part(&context, &plan, &x, &w, manner).unwrap());
                let differs = found.iter().zip(&wanted).position(|(a, b)| a.to_bits() != b.to_bits());
                assert_eq!(differs, None, "{} {image} {kernel} {binades} {manner:?}", context.id);
            }
        }
    }
}
