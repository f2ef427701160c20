//! Every pair of dtypes convolves, on every device, to NumPy's promotion of the two and to the exact value.

use unisono::{AsOperand, Convolve, Dtype, Element, Error, HostVec, Promote};

use crate::devices;

/// Small values that every dtype holds, and what they are as integers.
trait Small: Element {
    fn small(n: u8) -> Self;
}
macro_rules! small {
    ($($T:ty)*) => {$(impl Small for $T { fn small(n: u8) -> Self { (n % 5) as $T } })*};
}
small!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);
impl Small for bool {
    fn small(n: u8) -> Self {
        n % 3 == 1
    }
}

fn as_f64(vec: HostVec) -> Vec<f64> {
    match vec {
        HostVec::Bool(v) => v.into_iter().map(|x| f64::from(u8::from(x))).collect(),
        HostVec::U8(v) => v.into_iter().map(f64::from).collect(),
        HostVec::I8(v) => v.into_iter().map(f64::from).collect(),
        HostVec::U16(v) => v.into_iter().map(f64::from).collect(),
        HostVec::I16(v) => v.into_iter().map(f64::from).collect(),
        HostVec::U32(v) => v.into_iter().map(f64::from).collect(),
        HostVec::I32(v) => v.into_iter().map(f64::from).collect(),
        HostVec::U64(v) => v.into_iter().map(|x| x as f64).collect(),
        HostVec::I64(v) => v.into_iter().map(|x| x as f64).collect(),
        HostVec::F32(v) => v.into_iter().map(f64::from).collect(),
        HostVec::F64(v) => v,
        HostVec::C64(_) | HostVec::C128(_) => panic!("real operands"),
    }
}

fn host<T: Small>(n: usize, step: u8) -> Vec<T> {
    (0..n).map(|i| T::small((i as u8).wrapping_mul(step))).collect()
}

fn pair<T: Small + Promote<K>, K: Small>()
where
    Vec<T>: AsOperand<Elem = T>,
{
    let (image, kernel) = (host::<T>(33, 7), host::<K>(3, 1));
    let number = |dtype, n: u8| f64::from(if dtype == Dtype::Bool { u8::from(n % 3 == 1) } else { n % 5 });
    let (x, k) = (|i| number(T::DTYPE, (i as u8).wrapping_mul(7)), |i| number(K::DTYPE, i as u8));
    let out = T::DTYPE.promote(K::DTYPE);
    let expected: Vec<f64> = (0..35i32)
        .map(|o| {
            let sum: f64 = (0..3).filter(|t| (0..33).contains(&(o - t))).map(|t| x(o - t) * k(t)).sum();
            if out == Dtype::Bool { f64::from(u8::from(sum != 0.0)) } else { sum }
        })
        .collect();
    for backend in devices::all() {
        let result = backend.convolve_dyn(&image.as_operand(), &kernel.as_operand(), &Convolve::d1());
        if matches!(result, Err(Error::Unsupported { .. })) {
            assert!(out == Dtype::F64 && !devices::has_f64(backend), "{backend:?} {} {}", T::DTYPE, K::DTYPE);
            continue;
        }
        let result = result.unwrap_or_else(|e| panic!("{backend:?} {} {}: {e}", T::DTYPE, K::DTYPE));
        assert_eq!((result.dtype(), result.shape()), (out, &[35][..]));
        assert_eq!(as_f64(result.into_host().unwrap()), expected, "{backend:?} {} * {}", T::DTYPE, K::DTYPE);
    }
}

macro_rules! pairs {
    ($($T:ident),*) => {$(
        #[test]
        fn $T() {
            pairs!(@ $T: bool u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);
        }
    )*};
    (@ $T:ty: $($K:ty)*) => { $( pair::<$T, $K>(); )* };
}
pairs!(bool, u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

#[test]
fn sums_beyond_every_machine_word_are_exact_or_refused() {
    // |Σ| = 3 · 2^62 overflows i64 on the way and in one output; where terms cancel the result is exact.
    let big = 1i64 << 62;
    for backend in devices::all() {
        let cancel = backend.convolve(&[big, big, -big, -big], &[1i64, 1, 1], &Convolve::d1().valid());
        assert_eq!(cancel.unwrap().into_vec().unwrap(), [big, -big], "{backend:?}");
        let error = backend.convolve(&[big, big], &[1i64, 1], &Convolve::d1()).unwrap_err();
        assert_eq!(error, Error::Overflow { op: "convolve", out_dtype: Dtype::I64 }, "{backend:?}");
        assert!(error.to_string().contains("wider dtype"));
        let error = backend.correlate(&[200u8], &[2u8], &Convolve::d1()).unwrap_err();
        assert_eq!(error, Error::Overflow { op: "correlate", out_dtype: Dtype::U8 }, "{backend:?}");
        let squares = backend.convolve(&[i64::MIN, 1], &[i64::MIN, 0], &Convolve::d1()).unwrap_err();
        assert!(matches!(squares, Error::Overflow { .. }), "{backend:?}: {squares}");
        let wide = backend.convolve(&[u64::MAX, 5], &[1u64, 0], &Convolve::d1()).unwrap();
        assert_eq!(wide.into_vec().unwrap(), [u64::MAX, 5, 0], "{backend:?}");
    }
}

#[test]
fn a_wider_result_is_there_for_the_asking() {
    let image = [200u8, 100, 3];
    for backend in devices::all() {
        for (dtype, expected) in [(Dtype::U16, 200.0), (Dtype::I64, 200.0), (Dtype::F32, 200.0), (Dtype::U8, 200.0)] {
            let how = Convolve::d1().valid().out_dtype(dtype);
            let result = backend.convolve_dyn(&image.as_operand(), &[1u8].as_operand(), &how).unwrap();
            assert_eq!(result.dtype(), dtype);
            assert_eq!(as_f64(result.into_host().unwrap())[0], expected, "{backend:?} {dtype}");
        }
        // A float kernel over bytes into bytes: rounded half to even, saturated.
        let how = Convolve::d1().same().out_dtype(Dtype::U8);
        let result = backend.convolve_dyn(&[5u8, 7, 200, 0].as_operand(), &[0.5f32].as_operand(), &how).unwrap();
        assert_eq!(result.into_host().unwrap(), HostVec::U8(vec![2, 4, 100, 0]), "{backend:?}");
        let result = backend.convolve_dyn(&[5u8, 7, 200, 0].as_operand(), &[-2.0f32].as_operand(), &how).unwrap();
        assert_eq!(result.into_host().unwrap(), HostVec::U8(vec![0, 0, 0, 0]), "{backend:?}");
        let result = backend.convolve_dyn(&[5u8, 7, 200, 0].as_operand(), &[2.0f32].as_operand(), &how).unwrap();
        assert_eq!(result.into_host().unwrap(), HostVec::U8(vec![10, 14, 255, 0]), "{backend:?}");
    }
}
