//! Reductions by group on every adapter present, against loops over exact values.

use crate::cpu::CpuEngine;
use crate::engine::{Engine, Input};
use crate::gpu::tests::engines;
use crate::plan::{GroupOp, GroupPlan, Groups, Partials};
use crate::view::View;
use crate::{Control, Dtype, ExactSum, HostVec, Storage};

struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Random bit patterns; `tame` floats are finite, others rarely not.
fn random(noise: &mut Noise, dtype: Dtype, n: usize, tame: bool) -> HostVec {
    let mut vec = HostVec::zeros(dtype, n).unwrap();
    let mut bytes = vec![];
    for _ in 0..n {
        let mut bits = noise.next();
        let rare = noise.next().is_multiple_of(997);
        match dtype {
            Dtype::Bool => bits &= 1,
            Dtype::F32 if tame || !rare => bits &= !(1 << 30),
            Dtype::F64 if tame || !rare => bits &= !(1 << 62),
            _ => {}
        }
        bytes.extend_from_slice(&bits.to_le_bytes()[..dtype.size()]);
    }
    vec.view_mut(&[n]).copy_from_bytes(&bytes);
    vec
}

#[test]
fn groups_have_the_bits_of_the_cpu_and_sums_are_exact() {
    let (mut noise, cpu) = (Noise(6), CpuEngine::new(Some(1)));
    for engine in engines() {
        for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_complex()) {
            // Groups whose states fit workgroup memory, and groups whose do not.
            for (n, groups) in [(1usize, 3usize), (5003, 7), (5003, 900)] {
                let labels: Vec<i32> = (0..n).map(|_| (noise.next() % (groups as u64 + 2)) as i32 - 1).collect();
                let values = random(&mut noise, dtype, n, n == 1 || groups == 7);
                let (keys, values) = (View::from_slice(&labels), values.view(&[n]));
                let resident = [engine.upload(&keys).unwrap(), engine.upload(&values).unwrap()];
                let [Storage::Gpu(key_buffer), Storage::Gpu(value_buffer)] = &resident else { panic!("not on the device") };
                for op in GroupOp::ALL {
                    let (all, _) = Groups::of_labels(&(0..groups as i64).collect::<Vec<_>>(), Dtype::I32).unwrap();
                    let plan = GroupPlan::new(op, all, (Dtype::I32, &[n]), Some((dtype, &[n]))).unwrap();
                    let (host, given) = (Input::Host(keys.clone()), Input::Host(values.clone()));
                    let wanted = cpu.group(&plan, &host, Some(&given), &Control::new()).unwrap();
                    let here = [
                        Input::Gpu { buffer: key_buffer, dtype: Dtype::I32, shape: &[n] },
                        Input::Gpu { buffer: value_buffer, dtype, shape: &[n] },
                    ];
                    for (keys, values) in [(&host, &given), (&here[0], &here[1])] {
                        let found = engine.group(&plan, keys, Some(values), &Control::new()).unwrap();
                        assert_eq!(found.counts, wanted.counts, "{engine:?} {dtype} {n} {groups} {op:?}");
                        let bytes = |grouped| {
                            let vec: HostVec = plan.finish(grouped).unwrap();
                            vec.view(&[vec.len()]).as_bytes().unwrap().to_vec()
                        };
                        if !dtype.is_float() && op == GroupOp::Sum && dtype.size() == 8 {
                            // Sums beyond 64 bits are partials, but no results.
                            assert_eq!(found.partials, wanted.partials, "{engine:?} {dtype} {n} {groups}");
                        } else {
                            assert_eq!(bytes(&found), bytes(&wanted), "{engine:?} {dtype} {n} {groups} {op:?}");
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn sums_by_group_are_those_of_exact_sums() {
    let mut noise = Noise(7);
    for engine in engines() {
        let n = 3001;
        let labels: Vec<u8> = (0..n).map(|_| (noise.next() % 4) as u8).collect();
        let HostVec::F64(mut values) = random(&mut noise, Dtype::F64, n, true) else { panic!("no floats") };
        values.iter_mut().zip(&labels).filter(|(_, label)| **label == 3).for_each(|(x, _)| *x = -0.0);
        values[17] = f64::INFINITY;
        let mut sums = vec![ExactSum::new(); 4];
        values.iter().zip(&labels).for_each(|(&x, &label)| sums[usize::from(label)].push(x));
        let groups = Groups::Consecutive { first: 0, count: 4 };
        let plan = GroupPlan::new(GroupOp::Sum, groups, (Dtype::U8, &[n]), Some((Dtype::F64, &[n]))).unwrap();
        let (keys, given) = (Input::Host(View::from_slice(&labels)), Input::Host(View::from_slice(&values)));
        let found = engine.group(&plan, &keys, Some(&given), &Control::new()).unwrap();
        let Some(Partials::Float(found)) = found.partials else { panic!("no sums") };
        let bits = |sums: &[ExactSum]| sums.iter().map(|sum| sum.to_f64().to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&found), bits(&sums), "{engine:?}");
    }
}

#[test]
fn medians_of_many_groups_and_bins_of_groups_have_the_bits_of_the_cpu() {
    let (mut noise, cpu) = (Noise(8), CpuEngine::new(Some(1)));
    for engine in engines() {
        for dtype in Dtype::ALL.into_iter().filter(|dtype| !dtype.is_complex()) {
            let n = 3001;
            // Shorter digits, for more groups than elements; a list of groups; and counts beyond workgroup memory.
            for (many, bins) in [(20_000i64, 3usize), (5, 7), (40, 500)] {
                let labels: Vec<i64> = (0..n).map(|_| (noise.next() % (many as u64 + 1)) as i64 * 3).collect();
                let values = random(&mut noise, dtype, n, many == 5);
                let (keys, view) = (View::from_slice(&labels), values.view(&[n]));
                let step = if many == 5 { 3 } else { 2 };
                let (groups, _) = Groups::of_labels(&(0..many).map(|i| i * step).collect::<Vec<_>>(), Dtype::I64).unwrap();
                let edges: Vec<f64> = (0..=bins).map(|i| i as f64 * 0.75 - 2.0).collect();
                let cells = Groups::between(&edges, dtype).unwrap();
                let shapes = ((Dtype::I64, &[n][..]), (dtype, &[n][..]));
                let median = GroupPlan::new(GroupOp::Median, groups.clone(), shapes.0, Some(shapes.1)).unwrap();
                let counts = GroupPlan::histograms(groups.clone(), cells, shapes.0, shapes.1).unwrap();
                let listed =
                    GroupPlan::histograms(groups, Groups::Listed(vec![0, 1 << 63, (1 << 63) + 1]), shapes.0, shapes.1).unwrap();
                let resident = engine.upload(&view).unwrap();
                let Storage::Gpu(buffer) = &resident else { panic!("not on the device") };
                for plan in [median, counts, listed] {
                    let keys = Input::Host(keys.clone());
                    let wanted = cpu.group(&plan, &keys, Some(&Input::Host(view.clone())), &Control::new()).unwrap();
                    for values in [Input::Host(view.clone()), Input::Gpu { buffer, dtype, shape: &[n] }] {
                        let control = Control::new();
                        let found = engine.group(&plan, &keys, Some(&values), &control).unwrap();
                        assert!(found == wanted, "{engine:?} {dtype} {many} {bins} {:?}", plan.op);
                    }
                }
            }
        }
    }
}
