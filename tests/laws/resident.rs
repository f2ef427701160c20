//! Arrays that live on a device: they stay there until read, and any other device can use them.

use ndarray::{Array2, Ix2};
use unisono::{AsOperand, Convolve, Error, Quantile, Reduce};

use crate::devices;

#[test]
fn a_chain_of_operations_moves_only_its_ends() {
    let image = Array2::from_shape_fn((300, 400), |(i, j)| ((i * 31 + j) % 255) as f32);
    let kernel = Array2::from_elem((5, 5), 0.04f32);
    for shared in devices::all().iter().filter(|b| b.info().id.starts_with("gpu") && b.members().is_empty()) {
        // A second logical device on the adapter: nobody else moves its counters.
        let id = shared.info().id;
        let backend = &format!("{id}+{id}").parse::<unisono::Backend>().unwrap().members()[1];
        let before = backend.counters();
        let resident = backend.upload(&image).unwrap();
        assert!(resident.is_on_device(), "{backend:?}");
        let blurred = backend.convolve(&resident, &kernel, &Convolve::d2().same()).unwrap();
        let rows = backend.reduce(&blurred, &Reduce::sum().axes(&[1])).unwrap();
        let total = backend.sum(&rows).unwrap();
        let moved = backend.counters();
        assert!(moved.uploaded - before.uploaded < 2 * 4 * 300 * 400, "{backend:?}: the image goes up once");
        assert!(moved.downloaded - before.downloaded < 65_536, "{backend:?}: nothing large comes back: {moved:?}");
        assert!(moved.dispatches > before.dispatches && moved.work - before.work >= 300 * 400 * 25, "{backend:?}: {moved:?}");
        let host = blurred.into_ndarray::<Ix2>().unwrap();
        let sums: Vec<f32> =
            host.rows().into_iter().map(|row| unisono::Backend::cpu().sum(&row).unwrap().item().unwrap()).collect();
        assert_eq!(rows.into_vec().unwrap(), sums, "{backend:?}");
        assert_eq!(total.item().unwrap(), unisono::Backend::cpu().sum(&sums).unwrap().item().unwrap(), "{backend:?}");
    }
}

/// Masks, weights and second operands that are broadcast, and axes that do not lie together, are put in order on the device.
#[test]
fn what_is_broadcast_or_turned_stays_on_its_device() {
    let array = ndarray::Array3::from_shape_fn((40, 50, 60), |(i, j, k)| ((i * 31 + j * j + k * 7) % 255) as f64 * 0.1);
    let row = ndarray::Array1::from_shape_fn(60, |k| (k % 7) as f64);
    let plane = Array2::from_shape_fn((50, 1), |(j, _)| j % 3 > 0);
    let shares = ndarray::Array3::from_shape_fn((40, 1, 1), |(i, _, _)| i as u8);
    let weighted = Quantile::of(&[0.25, 0.5]).axes(&[0, 2]).method(unisono::QuantileMethod::InvertedCdf);
    let run = |backend: &unisono::Backend, operands: [&unisono::Operand<'_>; 4]| {
        let [array, row, plane, shares] = operands;
        let found = [
            backend.vecdot_dyn(array, row, &Reduce::dot().axes(&[-1])),
            backend.vecdot_dyn(array, row, &Reduce::dot().axes(&[0])),
            backend.reduce_where_dyn(array, plane, &Reduce::mean().axes(&[1])),
            backend.reduce_where_dyn(array, plane, &Reduce::sum()),
            backend.quantile_dyn(array, &Quantile::median().axes(&[0, 2])),
            backend.quantile_where(array, plane, &Quantile::median().axes(&[0, 2])),
            backend.quantile_where(array, plane, &Quantile::median().axes(&[1])),
            backend.quantile_weighted(array, shares, &weighted),
            backend.logsumexp_dyn(array, None, &unisono::LogSumExp::new().axes(&[0, 2])).map(|found| found.0),
        ];
        found.map(|found| found.unwrap_or_else(|error| panic!("{backend:?}: {error}")).into_host().unwrap())
    };
    // As texts: there is NaN among them.
    let same = |found: [unisono::HostVec; 9], expected: &[unisono::HostVec; 9], name: &dyn std::fmt::Debug| {
        for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
            assert!(format!("{found:?}") == format!("{expected:?}"), "{name:?}: result {i}");
        }
    };
    let host = [&array.as_operand(), &row.as_operand(), &plane.as_operand(), &shares.as_operand()];
    let expected = run(&unisono::Backend::cpu(), host);
    for shared in devices::all().iter().filter(|b| b.info().id.starts_with("gpu") && b.members().is_empty()) {
        let id = shared.info().id;
        let backend = &format!("{id}+{id}").parse::<unisono::Backend>().unwrap().members()[1];
        same(run(backend, host), &expected, backend);
        let [a, b] = [backend.upload(&array).unwrap(), backend.upload(&row).unwrap()];
        let (c, d) = (backend.upload(&plane).unwrap(), backend.upload(&shares).unwrap());
        let before = backend.counters();
        let found = run(backend, [&a.as_operand(), &b.as_operand(), &c.as_operand(), &d.as_operand()]);
        same(found, &expected, backend);
        let (moved, all) = (backend.counters(), 8 * array.len() as u64);
        assert!(moved.uploaded - before.uploaded < all / 4, "{backend:?}: {}", moved.uploaded - before.uploaded);
        // Partials of some results among it.
        assert!(moved.downloaded - before.downloaded < 8 * all, "{backend:?}: {}", moved.downloaded - before.downloaded);
    }
    for backend in devices::all() {
        same(run(backend, host), &expected, backend);
    }
}

#[test]
fn every_device_takes_the_arrays_of_every_other() {
    let image = Array2::from_shape_fn((33, 47), |(i, j)| (i * 100 + j) as i32);
    let kernel = Array2::from_shape_fn((3, 4), |(i, j)| (i + 2 * j) as i32);
    let expected = unisono::Backend::cpu().convolve(&image, &kernel, &Convolve::d2()).unwrap().into_vec().unwrap();
    for owner in devices::all() {
        let (image, kernel) = (owner.upload(&image).unwrap(), owner.upload(&kernel).unwrap());
        for backend in devices::all() {
            let result = backend.convolve(&image, &kernel, &Convolve::d2()).unwrap();
            assert_eq!(result.into_vec().unwrap(), expected, "{owner:?} -> {backend:?}");
            assert_eq!(backend.sum(&image).unwrap().item(), Ok(i64::from(image.clone().into_vec().unwrap().iter().sum::<i32>())));
        }
    }
}

#[test]
fn reading_says_what_does_not_fit() {
    for backend in devices::all() {
        let array = backend.upload(&[1u16, 2, 3]).unwrap();
        assert_eq!(
            array.item(),
            Err(Error::Invalid {
                what: "array for item()".into(),
                got: "shape [3]".into(),
                expected: "exactly one element".into()
            })
        );
        let text = array.clone().into_ndarray::<Ix2>().unwrap_err().to_string();
        assert_eq!(text, "rank of the ndarray: got 2, expected 1, that of shape [3]");
        let text = array.into_dyn().typed::<f32>().unwrap_err().to_string();
        assert_eq!(text, "array: got dtype uint16, expected float32");
    }
}
