//! Order statistics and groups are their definition, by a full sort and plain loops.

use ndarray::{ArrayD, Axis, IxDyn, Slice};
use unisono::{AsOperand, Bins, Dtype, Error, GroupOp, Histogram, Quantile, QuantileMethod, TopK};

use crate::devices::{self, Random, done};
use crate::oracle;

/// Numbers with ties, both zeros and infinities.
fn draw(random: &mut Random) -> f64 {
    match random.below(9) {
        0 => 0.0,
        1 => -0.0,
        2 => f64::INFINITY,
        3 => f64::NEG_INFINITY,
        4 => 1e-310,
        _ => (random.below(21) as f64 - 10.0) * 0.25,
    }
}

#[test]
fn quantiles_and_the_largest_are_those_of_a_sort() {
    let mut random = Random(11);
    for shape in [vec![1], vec![2], vec![67], vec![5, 7], vec![3, 33, 2], vec![130, 3], vec![140_001]] {
        let mut array = ArrayD::from_shape_fn(IxDyn(&shape), |_| draw(&mut random));
        array.slice_axis_inplace(Axis(0), Slice::new(0, None, -1));
        for axis in 0..shape.len() {
            let sorted: Vec<Vec<f64>> = array
                .lanes(Axis(axis))
                .into_iter()
                .map(|lane| {
                    let mut lane = lane.to_vec();
                    lane.sort_by(f64::total_cmp);
                    lane
                })
                .collect();
            let n = shape[axis];
            let how = Quantile::of(&[0.0, 0.3, 1.0]).axes(&[axis as isize]).method(QuantileMethod::Lower);
            let ranks = [0, ((n - 1) as f64 * 0.3) as usize, n - 1];
            let expected: Vec<u64> = ranks.iter().flat_map(|&rank| sorted.iter().map(move |lane| lane[rank].to_bits())).collect();
            let k = n.div_ceil(3);
            let best: Vec<Vec<usize>> = array
                .lanes(Axis(axis))
                .into_iter()
                .map(|lane| {
                    let mut order: Vec<usize> = (0..n).collect();
                    order.sort_by(|&a, &b| lane[b].partial_cmp(&lane[a]).unwrap().then(a.cmp(&b)));
                    order[..k].to_vec()
                })
                .collect();
            for backend in devices::all() {
                let operand = array.as_operand();
                let found = done(backend, backend.quantile_dyn(&operand, &how)).typed::<f64>().unwrap().into_vec().unwrap();
                assert_eq!(found.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), expected, "{backend:?} {shape:?} {axis}");
                let median = backend.quantile_dyn(&operand, &Quantile::median().axes(&[axis as isize])).unwrap();
                for (lane, found) in sorted.iter().zip(median.typed::<f64>().unwrap().into_vec().unwrap()) {
                    let (a, b) = (lane[(n - 1) / 2], lane[n / 2]);
                    let mean = (a + b) / 2.0;
                    assert!(found.to_bits() == mean.to_bits() || found.is_nan() && mean.is_nan(), "{backend:?}: {a} {b} {found}");
                }
                let how = TopK::largest(k).axis(axis as isize);
                let (_, indices) = done(backend, backend.topk_dyn(&operand, &how));
                let indices = indices.typed::<u64>().unwrap().into_ndarray::<IxDyn>().unwrap();
                for (lane, expected) in indices.lanes(Axis(axis)).into_iter().zip(&best) {
                    assert!(lane.iter().zip(expected).all(|(&a, &b)| a == b as u64), "{backend:?} {shape:?} {axis}");
                }
            }
        }
    }
}

#[test]
fn masked_and_weighted_quantiles_are_those_of_what_is_left() {
    let mut random = Random(13);
    for shape in [vec![9], vec![4, 30], vec![20_001]] {
        let values = ArrayD::from_shape_fn(IxDyn(&shape), |_| draw(&mut random));
        let mut mask = ArrayD::from_shape_fn(IxDyn(&shape), |_| random.below(3) > 0);
        mask.lanes_mut(Axis(0)).into_iter().for_each(|mut lane| lane[0] = true);
        let weights = mask.mapv(|taken| if taken { 1u8 } else { 0 });
        // Whose products with counts are exact, as NumPy's ranks are then.
        let points = [0.0, 0.125, 0.5, 0.75, 1.0];
        for backend in devices::all() {
            for method in QuantileMethod::ALL {
                let how = Quantile::of(&points).method(method).axes(&[0]);
                let found = done(backend, backend.quantile_where(&values.as_operand(), &mask.as_operand(), &how));
                let found = found.typed::<f64>().unwrap().into_ndarray::<IxDyn>().unwrap();
                let weighted = backend.quantile_weighted(&values.as_operand(), &weights.as_operand(), &how);
                assert_eq!(weighted.is_ok(), method == QuantileMethod::InvertedCdf);
                if let Ok(weighted) = weighted {
                    assert_eq!(weighted.typed::<f64>().unwrap().into_ndarray::<IxDyn>().unwrap(), found, "{shape:?}");
                }
                let lanes = values.lanes(Axis(0)).into_iter().zip(mask.lanes(Axis(0)));
                for (lane, found) in lanes.zip(found.lanes(Axis(0))) {
                    let left: Vec<f64> = lane.0.iter().zip(lane.1).filter(|pair| *pair.1).map(|pair| *pair.0).collect();
                    let wanted = unisono::Backend::cpu().quantile_dyn(&left.as_operand(), &Quantile::of(&points).method(method));
                    let wanted = wanted.unwrap().typed::<f64>().unwrap().into_vec().unwrap();
                    let bits = |x: &f64| if x.is_nan() { 0 } else { x.to_bits() };
                    assert!(found.iter().map(bits).eq(wanted.iter().map(bits)), "{backend:?} {shape:?} {method}");
                }
            }
        }
    }
    let how = Quantile::one(0.5).method(QuantileMethod::InvertedCdf);
    for backend in devices::all() {
        for (weights, word) in [([-1.0, 2.0], "-1"), ([f64::NAN, 1.0], "NaN"), ([0.0, 0.0], "0 alone")] {
            let error = backend.quantile_weighted(&[1, 2].as_operand(), &weights.as_operand(), &how).unwrap_err().to_string();
            assert!(error.contains(word), "{backend:?}: {error}");
        }
        assert!(backend.quantile_where(&[1, 2].as_operand(), &[false, false].as_operand(), &how).is_err(), "{backend:?}");
        let nothing = backend.quantile_where(&[1.0, 2.0].as_operand(), &[false, false].as_operand(), &how).unwrap();
        assert!(nothing.typed::<f64>().unwrap().item().unwrap().is_nan(), "{backend:?}");
    }
}

#[test]
fn groups_have_exact_sums_and_first_extremes() {
    let mut random = Random(12);
    for n in [0usize, 1, 100, 16_385, 70_001] {
        let values: Vec<f64> = (0..n).map(|_| random.unit() * 10f64.powi(random.below(40) as i32 - 20)).collect();
        let labels: Vec<i16> = (0..n).map(|_| random.below(7) as i16 - 2).collect();
        let index = [3i64, -2, 0, 77, 1 << 40, 3];
        let of = |label: i64| -> Vec<usize> { (0..n).filter(|&i| i64::from(labels[i]) == label).collect() };
        let sums: Vec<f64> =
            index.iter().map(|&label| oracle::to_f64(&oracle::sum(of(label).into_iter().map(|i| values[i])))).collect();
        let first =
            |label: i64| of(label).into_iter().reduce(|a, b| if values[b] < values[a] { b } else { a }).unwrap_or(0) as u64;
        let firsts: Vec<u64> = index.iter().map(|&label| first(label)).collect();
        for backend in devices::all() {
            let reduce = |op| {
                let result = backend.reduce_by_label(&values.as_operand(), &labels.as_operand(), op, Some(&index));
                done(backend, result)
            };
            assert_eq!(reduce(GroupOp::Sum).typed::<f64>().unwrap().into_vec().unwrap(), sums, "{backend:?} {n}");
            let found = reduce(GroupOp::ArgMin).typed::<u64>().unwrap().into_vec().unwrap();
            assert_eq!(found, firsts, "{backend:?} {n}");
            let bins = Bins::edges(&[-1e20, -1.0, 0.0, 0.5, 1e20]);
            let histogram = backend.histogram_weighted(&values, &labels, &bins).unwrap();
            for (i, pair) in [-1e20, -1.0, 0.0, 0.5, 1e20].windows(2).enumerate() {
                let inside: Vec<usize> = (0..n).filter(|&j| values[j] >= pair[0] && values[j] < pair[1]).collect();
                assert_eq!(histogram.counts()[i], inside.len() as u64, "{backend:?} {n} {i}");
                assert_eq!(
                    histogram.values()[i],
                    inside.iter().map(|&j| f64::from(labels[j])).sum::<f64>(),
                    "{backend:?} {n} {i}"
                );
            }
            assert_eq!(Histogram::from_bytes(&histogram.to_bytes()).as_ref(), Ok(&histogram));
        }
    }
}

#[test]
fn refusals_name_what_was_given() {
    let backend = unisono::Backend::cpu();
    let (x, floats) = ([1i32, 2, 3], [1.0f32, 2.0]);
    let invalid = |error: Error| matches!(error, Error::Invalid { .. });
    assert!(invalid(backend.quantile_dyn(&x.as_operand(), &Quantile::one(f64::NAN)).unwrap_err()));
    assert!(invalid(backend.median::<[f64]>(&[]).unwrap_err()));
    assert!(invalid(backend.topk(&x, &TopK::smallest(4)).unwrap_err()));
    assert!(invalid(backend.histogram(&x, &Bins::uniform(0)).unwrap_err()));
    assert!(invalid(backend.histogram(&x, &Bins::edges(&[2.0, 1.0])).unwrap_err()));
    assert!(invalid(backend.histogram(&[f64::NAN], &Bins::uniform(3)).unwrap_err()));
    assert!(invalid(backend.bincount(&[-1i8].as_operand(), None, 0).unwrap_err()));
    assert!(invalid(backend.reduce_by_label(&floats.as_operand(), &x.as_operand(), GroupOp::Sum, None).unwrap_err()));
    let error = backend.reduce_by_label(&floats.as_operand(), &floats.as_operand(), GroupOp::Sum, None).unwrap_err();
    assert_eq!(error, Error::Dtype { what: "labels".into(), got: Dtype::F32, expected: "integers".into() });
    assert!(Histogram::from_bytes(&[1; 20]).is_err());
}
