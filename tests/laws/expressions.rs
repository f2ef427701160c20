//! An expression has the same bits on every device, over arrays of any shape, stride and dtype.

use ndarray::{Array1, Array2, Array3, ArrayD, Axis, IxDyn, s};
use unisono::{AsOperand, Backend, Dtype, Error, HostVec, Map, Reduce, ReduceOp, op};

use crate::devices::{self, Random};

fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    (0..len).map(|_| (random.unit() * 2f64.powi(random.below(40) as i32 - 20)) as f32).collect()
}

fn host(array: unisono::DynArray) -> HostVec {
    array.into_host().unwrap()
}

#[test]
fn arrays_of_any_length_are_mapped() {
    let how = Map::new("(a - b)*(a - b) + s").unwrap().param("s", 0.25);
    for len in [0, 1, 2, 63, 64, 65, 511, 512, 513, 16_385, 100_003] {
        let (a, b) = (noise(len, 1), noise(len, 2));
        let expected: Vec<f32> = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b) + 0.25).collect();
        for backend in devices::all() {
            let got = backend.map::<f32>(&how, &[("a", &a), ("b", &b)]).unwrap();
            assert_eq!(got.into_vec().unwrap(), expected, "{backend:?} {len}");
        }
    }
}

#[test]
fn shapes_broadcast_and_strides_do_not_matter() {
    let how = Map::new("exp(-abs(a)) * sin(b) / (1 + c*c)").unwrap();
    let a = Array3::from_shape_vec((5, 7, 11), noise(385, 3)).unwrap();
    let b = Array2::from_shape_vec((11, 7), noise(77, 4)).unwrap();
    let c = Array1::from_vec(noise(10, 5));
    // Reversed, transposed and spread; broadcast along the first axis, and along all but the first.
    let (a, b) = (a.slice(s![..;-1, .., ..]), b.t());
    let c = c.slice(s![..;2]).insert_axis(Axis(1)).insert_axis(Axis(2));
    let one = |(i, j, k): (usize, usize, usize)| {
        let values = [a[(i, j, k)], b[(j, k)], c[(i, 0, 0)]];
        let names = [("a", &values[..1]), ("b", &values[1..2]), ("c", &values[2..])];
        let operands: Vec<_> = names.iter().map(|(name, value)| (*name, value.as_operand())).collect();
        let HostVec::F32(result) = host(Backend::cpu().map_dyn(&how, &operands).unwrap()) else { panic!() };
        result[0].to_bits()
    };
    let expected: Vec<u32> = (0..5).flat_map(|i| (0..7).flat_map(move |j| (0..11).map(move |k| (i, j, k)))).map(one).collect();
    for backend in devices::all() {
        let arrays = [("a", a.as_operand()), ("b", b.as_operand()), ("c", c.as_operand())];
        let got = backend.map_dyn(&how, &arrays).unwrap();
        assert_eq!(got.shape(), [5, 7, 11]);
        let HostVec::F32(got) = host(got) else { panic!() };
        assert_eq!(got.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), expected, "{backend:?}");
        // The same from arrays on the device, of which two are broadcast; into memory with gaps.
        let on_device = arrays.each_ref().map(|(name, operand)| (*name, backend.upload_dyn(operand).unwrap()));
        let arrays: Vec<_> = on_device.iter().map(|(name, array)| (*name, array.into())).collect();
        let mut out = ArrayD::<f32>::zeros(IxDyn(&[5, 11, 7]));
        let mut view = out.view_mut();
        view.swap_axes(1, 2);
        backend.map_dyn_into(&how, &arrays, unisono::AsOutput::as_output(&mut view)).unwrap();
        assert_eq!(view.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), expected, "{backend:?}");
    }
}

#[test]
fn every_dtype_is_converted_once() {
    let how = Map::new("x * 0.5").unwrap();
    for backend in devices::all() {
        let bytes: Vec<u8> = (0..=255).collect();
        let got = backend.map_dyn(&how, &[("x", bytes.as_operand())]).unwrap();
        assert_eq!(host(got), HostVec::F32((0..256).map(|x| x as f32 * 0.5).collect()), "{backend:?}");
        let wide = [i64::MAX, 16_777_217, -1];
        let got = backend.map_dyn(&how.clone().dtype(Dtype::F32), &[("x", wide.as_operand())]).unwrap();
        assert_eq!(host(got), HostVec::F32(wide.map(|x| x as f32 * 0.5).to_vec()), "{backend:?}");
        let flags = [true, false, true];
        assert_eq!(host(backend.map_dyn(&how, &[("x", flags.as_operand())]).unwrap()), HostVec::F32(vec![0.5, 0.0, 0.5]));
        let got = backend.map_dyn(&how, &[("x", wide.as_operand())]).unwrap();
        assert_eq!(host(got), HostVec::F64(wide.map(|x| x as f64 * 0.5).to_vec()), "{backend:?}");
    }
}

#[test]
fn a_reduction_of_a_map_is_that_of_its_results() {
    let how = Map::new("where(x > 0, x*x - y, sqrt(-x) * y)").unwrap();
    for len in [1, 1000, 70_001] {
        let (x, y) = (noise(len, 6), noise(len, 7));
        let values = Backend::cpu().map::<f32>(&how, &[("x", &x), ("y", &y)]).unwrap();
        for backend in devices::all() {
            for op in ReduceOp::ALL.into_iter().filter(|&op| op != ReduceOp::Product) {
                let arrays = [("x", x.as_operand()), ("y", y.as_operand())];
                let got = host(backend.map_reduce_dyn(&how, op, &arrays).unwrap());
                let expected = host(Backend::cpu().reduce_dyn(&values.as_operand(), &Reduce::of(op)).unwrap());
                assert_eq!(got, expected, "{backend:?} {op:?} {len}");
            }
        }
    }
    for backend in devices::all() {
        let none: [f32; 0] = [];
        let arrays: [(&str, &dyn AsOperand<Elem = f32>); 2] = [("x", &none), ("y", &none)];
        assert_eq!(backend.map_reduce(&how, op::Sum, &arrays).unwrap(), 0.0);
        assert!(backend.map_reduce(&how, op::Max, &arrays).is_err());
    }
}

#[test]
fn parameters_and_arrays_that_do_not_fit_are_named() {
    let backend = Backend::cpu();
    let (a, b) = ([1.0f32, 2.0], [1.0f32, 2.0, 3.0]);
    let refused = |text: &str, arrays: &[(&str, &dyn AsOperand<Elem = f32>)]| {
        backend.map::<f32>(&Map::new(text).unwrap().param("s", 1.0), arrays).unwrap_err().to_string()
    };
    for (text, arrays, said) in [
        ("a + b*s", &[("a", &a as &dyn AsOperand<Elem = f32>), ("b", &b)][..], "shape of array `b`: got [3]"),
        ("a + c*s", &[("a", &a)], "`c`, which has no value"),
        ("a * s", &[("a", &a), ("b", &b)], "array: got `b`"),
        ("a * s", &[("a", &a), ("s", &a)], "the name twice"),
        ("a", &[("a", &a)], "parameter: got `s`"),
    ] {
        let error = refused(text, arrays);
        assert!(error.contains(said), "{text}: {error}");
    }
    let integers = Map::new("x").unwrap().dtype(Dtype::I32);
    assert!(matches!(backend.map_dyn(&integers, &[("x", a.as_operand())]), Err(Error::Dtype { .. })));
}
