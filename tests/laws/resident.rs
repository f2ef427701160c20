//! Arrays that live on a device: they stay there until read, and any other device can use them.

use ndarray::{Array2, Ix2};
use unisono::{Convolve, Error, Reduce};

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
