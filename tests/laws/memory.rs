//! A limit of memory changes no exact result on any device, and is handed on: to members, to jobs, with a control.

use ndarray::{Array2, Array3};
use unisono::{Algorithm, AsOperand, Backend, Boundary, Control, Convolve, GroupOp, Quantile, Reduce, Scan, Separable, TopK};

use crate::devices;

#[test]
fn little_memory_gives_the_same_integers() {
    let image = Array3::from_shape_fn((2, 120, 131), |(n, i, j)| ((n * 7 + i * 31 + j * j) % 199) as i32 - 99);
    let kernels = Array3::from_shape_fn((5, 4, 7), |(k, i, j)| ((k * 5 + i * 3 + j) % 11) as i32 - 5);
    for algorithm in [Algorithm::Auto, Algorithm::Direct] {
        let how = Convolve::d2().same().boundary(Boundary::Reflect).algorithm(algorithm);
        let expected = unisono::Backend::cpu().convolve(&image, &kernels, &how).unwrap().into_vec().unwrap();
        for backend in devices::all() {
            let limited = backend.with_memory_limit(150_000);
            let found = limited.convolve(&image, &kernels, &how).unwrap().into_vec().unwrap();
            assert_eq!(found, expected, "{backend:?} {algorithm}");
        }
    }
}

#[test]
fn little_memory_gives_the_same_floats_of_transforms_and_filters() {
    let image = Array2::from_shape_fn((150, 170), |(i, j)| ((i * 31 + j * j) % 256) as f32);
    let kernels = Array3::from_shape_fn((3, 13, 13), |(k, i, j)| ((k + i * 3 + j) % 11) as f32 / 64.0);
    let weights: &[f64] = &[0.25, 0.5, 0.25, 0.125];
    let filter = Separable::convolve(&[weights, weights], Boundary::Mirror);
    for backend in devices::all() {
        // The CPU's transforms of kernels are cut, the GPU's images are.
        let limited = backend.with_memory_limit(1 << 20);
        let how = Convolve::d2().algorithm(Algorithm::Fft);
        let run = |backend: &unisono::Backend| backend.convolve(&image, &kernels, &how).map(|array| array.into_vec().unwrap());
        if let Ok(expected) = run(backend) {
            let found = run(&limited).unwrap();
            let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-3;
            assert!(found.iter().zip(&expected).all(close), "{backend:?}");
        }
        let [expected, found] = [backend, &limited].map(|b| b.separable(&image, &filter).unwrap().into_vec().unwrap());
        assert_eq!(found, expected, "{backend:?}");
    }
}

/// Every operation that is the same everywhere, with little memory and with much.
#[test]
fn little_memory_gives_the_same_reductions_and_scans() {
    let values = Array2::from_shape_fn((230, 301), |(i, j)| ((i * 31 + j * j) % 1009) as f64 * 0.1 - 30.0);
    let labels = values.mapv(|x| (x as i32) % 7);
    let mask = values.mapv(|x| x > -20.0);
    let row: Vec<f64> = (0..301).map(|i| f64::from(i % 7)).collect();
    let (array, keys, mask, row) = (values.as_operand(), labels.as_operand(), mask.as_operand(), row.as_operand());
    let dots = Reduce::dot().axes(&[-1]);
    let results = |backend: &Backend| -> unisono::Result<Vec<String>> {
        let found = [
            backend.reduce_dyn(&array, &Reduce::sum().axes(&[0]))?,
            backend.reduce_dyn(&array, &Reduce::std())?,
            backend.reduce_where_dyn(&array, &mask, &Reduce::mean().axes(&[1]))?,
            backend.vecdot_dyn(&array, &row, &dots)?,
            backend.scan_dyn(&array, &Scan::sum().axis(0))?,
            backend.scan_dyn(&array, &Scan::sum().axis(1).out_dtype(unisono::Dtype::F32).skip_nan())?,
            backend.quantile_dyn(&array, &Quantile::of(&[0.1, 0.5]).axes(&[0]))?,
            backend.quantile_where(&array, &mask, &Quantile::median())?,
            backend.topk_dyn(&array, &TopK::largest(3))?.1,
            backend.reduce_by_label(&array, &keys, GroupOp::Median, Some(&[0, 1, 5]))?,
            backend.reduce_by_label(&array, &keys, GroupOp::Var { ddof: 1 }, Some(&[0, 1, 5]))?,
        ];
        found.into_iter().map(|array| array.into_host().map(|host| format!("{host:?}"))).collect()
    };
    let expected = results(&Backend::cpu()).unwrap();
    for backend in devices::all() {
        for limit in [None, Some(150_000)] {
            let limited = limit.map_or_else(|| backend.clone(), |bytes| backend.with_memory_limit(bytes));
            for (i, (found, expected)) in results(&limited).unwrap().iter().zip(&expected).enumerate() {
                assert!(found == expected, "{backend:?} {limit:?}: result {i}");
            }
        }
    }
}

#[test]
fn the_limit_is_handed_on() {
    let backend = unisono::Backend::cpu().with_memory_limit(1000);
    assert_eq!(unisono::Backend::cpu().memory_limit(), None);
    assert_eq!(backend.with_memory_limit(10).memory_limit(), Some(10));
    assert_eq!(backend.with_memory_limit(10_000).memory_limit(), Some(1000));
    let control = Control::new();
    let other = backend.with_control(&control);
    assert_eq!(other.memory_limit(), Some(1000));
    other.sum(&[1.0, 2.0]).unwrap();
    assert_eq!(control.progress().done, 2);
    assert_eq!(backend.submit(|backend| Ok(backend.memory_limit())).wait().unwrap(), Some(1000));
}

#[test]
fn the_limit_that_is_named_is_enough() {
    let (image, kernel) = (Array2::<f32>::ones((30, 32)), Array2::<f32>::ones((9, 9)));
    let (volume, weights) = (Array3::<f32>::ones((2, 20, 22)), [1.0 / 7.0; 7]);
    let filter = Separable::convolve(&[&weights[..]; 3], Boundary::Reflect);
    for backend in devices::all().iter().filter(|backend| backend.members().is_empty()) {
        let convolve = |limit, algorithm| {
            let how = Convolve::d2().algorithm(algorithm);
            backend.with_memory_limit(limit).convolve(&image, &kernel, &how).map(drop)
        };
        let filtered = |limit| backend.with_memory_limit(limit).separable(&volume, &filter).map(drop);
        for algorithm in [Algorithm::Auto, Algorithm::Direct, Algorithm::Separable, Algorithm::FastFir, Algorithm::Fft] {
            named_is_enough(backend, |limit| convolve(limit, algorithm));
        }
        named_is_enough(backend, filtered);
    }
}

fn named_is_enough(backend: &Backend, work: impl Fn(u64) -> unisono::Result<()>) {
    let Err(error) = work(1) else { return };
    let enough = error.to_string().split(' ').skip_while(|word| *word != "least").find_map(|word| word.parse().ok());
    let enough = enough.unwrap_or_else(|| panic!("{backend:?}: {error}"));
    work(enough).unwrap_or_else(|later| panic!("{backend:?}: {error}, but then {later}"));
}

/// What fetches a small result is small, too: the result outlives the limit of the work that made it.
#[test]
fn fetching_a_small_result_takes_little() {
    for backend in devices::all().iter().filter(|backend| backend.info().class != unisono::DeviceClass::Cpu) {
        // A device of its own counts from 0 on.
        let Ok(fresh) = backend.info().id.parse::<Backend>() else { continue };
        let (limit, before) = (1 << 20, fresh.counters().peak);
        let limited = fresh.with_memory_limit(limit);
        assert_eq!(limited.reduce(&vec![1f32; 300_000], &Reduce::sum()).unwrap().item().unwrap(), 3e5);
        let after = fresh.counters().peak;
        assert!(after <= before.max(limit), "{backend:?}: {after} bytes, {before} before");
    }
}
