//! Arrays in several segments, as those are that no binding holds.

use super::*;
use crate::engine::{Input, Target};
use crate::plan::{LogSumExp, LogSumExpPlan, Operation, Quantile, QuantilePlan, Scan, ScanOp, ScanPlan, TopK, TopKPlan};

/// An array on the device in segments of at most so many elements, a multiple of 4.
pub(in crate::gpu) fn in_segments(engine: &GpuEngine, view: &View<'_>, most: usize) -> GpuBuffer {
    let (context, size) = (engine.context().unwrap(), view.dtype().size());
    let mut bytes = vec![0; view.len() * size];
    view.copy_to_bytes(&mut bytes);
    let segments = bytes.chunks(most.saturating_mul(size)).map(|part| {
        let block = context.block(part.len() as u64).unwrap();
        let fill = &mut |range: std::ops::Range<u64>, out: &mut [u8]| {
            out.copy_from_slice(&part[range.start as usize..range.end as usize]);
        };
        context.upload(&block, part.len() as u64, &Control::new(), fill).unwrap();
        (block, part.len() as u64)
    });
    GpuBuffer::new(context.clone(), segments.collect())
}

/// Operations along lanes on arrays in several segments: the bits of one array, and nothing but results comes to the host.
#[test]
fn lanes_in_several_segments_stay_on_the_device() {
    let shape = [6, 40, 30];
    let single: Vec<f32> = (0..7200u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 65_536.0 - 128.0).collect();
    let bytes: Vec<u8> = single.iter().map(|&x| x as i32 as u8).collect();
    let [single, bytes] = [HostVec::F32(single), HostVec::U8(bytes)];
    let views = [single.view(&shape), bytes.view(&shape)];
    for engine in engines() {
        for view in &views {
            let dtype = view.dtype();
            for axes in [&[0isize][..], &[1], &[2], &[0, 2]] {
                let axis = axes[0];
                let scan = |op| Operation::Scan(ScanPlan::new(&Scan::of(op).axis(axis), dtype, &shape).unwrap());
                let quantile = QuantilePlan::new(&Quantile::median().axes(axes), dtype, &shape).unwrap();
                let top = TopKPlan::new(&TopK::largest(3).axis(axis), dtype, &shape).unwrap();
                let logsumexp = LogSumExpPlan::new(&LogSumExp::new().axes(axes), dtype, &shape, None).unwrap();
                for operation in [
                    scan(ScanOp::Sum),
                    scan(ScanOp::Min),
                    Operation::Quantile(quantile),
                    Operation::TopK(top),
                    Operation::LogSumExp(logsumexp),
                ] {
                    let run = |input: Input<'_>| -> Vec<Vec<u8>> {
                        let results = operation.results();
                        let mut vecs: Vec<HostVec> = results
                            .iter()
                            .map(|(dtype, shape)| HostVec::zeros(*dtype, shape.iter().product()).unwrap())
                            .collect();
                        let targets =
                            vecs.iter_mut().zip(&results).map(|(vec, (_, shape))| Target::Host(vec.view_mut(shape))).collect();
                        engine.operate(&operation, &[input], targets, &Control::new()).unwrap();
                        vecs.iter().map(|vec| vec.view(&[vec.len()]).as_bytes().unwrap().to_vec()).collect()
                    };
                    let wanted = run(Input::Host(view.clone()));
                    let mut moved = vec![];
                    for most in [usize::MAX, 1_000, 52] {
                        let buffer = in_segments(&engine, view, most);
                        let before = engine.counters();
                        let found = run(Input::Gpu { buffer: &buffer, dtype, shape: &shape });
                        assert_eq!(found, wanted, "{} {dtype} {axes:?} {most}", operation.name());
                        let after = engine.counters();
                        moved.push((after.uploaded - before.uploaded, after.downloaded - before.downloaded));
                    }
                    // As much as of one segment.
                    assert!(moved.iter().all(|&each| each == moved[0]), "{} {dtype} {axes:?}: {moved:?}", operation.name());
                    // Ranks, or what is subtracted, of forty lanes.
                    assert!(axes.len() == 1 || moved[0].0 < 2000, "{} {dtype} {axes:?}: {moved:?}", operation.name());
                }
            }
        }
    }
}

/// Results that no binding holds.
#[test]
fn results_of_scans_in_several_segments_stay_on_the_device() {
    for engine in engines() {
        let most = engine.context().unwrap().max_block();
        if most > 256 << 20 {
            continue;
        }
        let len = most as usize / 8 + 1_003;
        let values: Vec<u8> = (0..len).map(|i| (i % 251) as u8).collect();
        let buffer = in_segments(&engine, &View::from_slice(&values), usize::MAX - 3);
        let plan = ScanPlan::new(&Scan::of(ScanOp::Sum), crate::Dtype::U8, &[len]).unwrap();
        let input = Input::Gpu { buffer: &buffer, dtype: crate::Dtype::U8, shape: &[len] };
        let before = engine.counters();
        let found = engine.operate(&Operation::Scan(plan), &[input], vec![Target::Device(None)], &Control::new()).unwrap();
        let after = engine.counters();
        assert_eq!(after.uploaded, before.uploaded);
        assert!(after.downloaded - before.downloaded < 1_000);
        let Some(Some(Storage::Gpu(result))) = found.first() else { panic!("not on the device") };
        assert!(result.segments().len() > 1);
        let HostVec::U64(sums) = back::<u64>(found[0].as_ref().unwrap(), len) else { panic!("not u64") };
        let mut sum = 0;
        for (i, (&x, &found)) in values.iter().zip(&sums).enumerate() {
            sum += u64::from(x);
            assert_eq!(found, sum, "{i}");
        }
    }
}
