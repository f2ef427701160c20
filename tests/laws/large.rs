//! Arrays of more than 2^31 and 2^32 elements, on the CPU: nothing counts in 32 bits.
//!
//! Their memory is zero until it is written, so that it takes no room but for page tables.

use ndarray::ArrayView2;
use unisono::{AsOperand, Backend, Chunked, HostVec, Reduce, ReduceOp, Scan};

/// More elements than 32 bits count.
const N: usize = (1 << 32) + 1234;

fn one(result: unisono::Result<unisono::DynArray>) -> HostVec {
    result.unwrap().into_host().unwrap()
}

#[test]
fn more_than_2_to_the_32_elements_are_reduced_at_once() {
    let mut bytes = vec![0u8; N];
    bytes[N - 7] = 200;
    bytes[N - 3] = 200;
    bytes[5] = 3;
    let cpu = Backend::cpu();
    let operand = bytes.as_slice();
    let operand = operand.as_operand();
    assert_eq!(one(cpu.reduce_dyn(&operand, &Reduce::sum())), HostVec::U64(vec![403]));
    assert_eq!(one(cpu.reduce_dyn(&operand, &Reduce::argmax())), HostVec::U64(vec![N as u64 - 7]));
    assert_eq!(one(cpu.reduce_dyn(&operand, &Reduce::count_nonzero())), HostVec::U64(vec![3]));
    // Two rows of more than 2^31 elements.
    let rows = ArrayView2::from_shape((2, N / 2), &bytes).unwrap();
    let along = |op| one(cpu.reduce_dyn(&rows.as_operand(), &Reduce::of(op).axes(&[1])));
    assert_eq!(along(ReduceOp::ArgMax), HostVec::U64(vec![5, (N - 7 - N / 2) as u64]));
    assert_eq!(along(ReduceOp::Sum), HostVec::U64(vec![3, 400]));
}

#[test]
fn chunks_count_on_beyond_2_to_the_32() {
    let cpu = Backend::cpu();
    // The same row over and over: a view that takes no memory.
    let row: Vec<u8> = (0..1 << 16).map(|i| (i % 251) as u8).collect();
    let rows = ArrayView2::from_shape((1, row.len()), &row).unwrap();
    let many = rows.broadcast((1 << 13, row.len())).unwrap();
    let end: Vec<u8> = row.iter().map(|&x| if x == 77 { 251 } else { x }).collect();
    let last = ArrayView2::from_shape((1, end.len()), &end).unwrap();
    let run = |op: ReduceOp| {
        let mut all: Chunked = cpu.chunked(&Reduce::of(op));
        for _ in 0..9 {
            all.push(&many.as_operand()).unwrap();
        }
        all.push(&last.as_operand()).unwrap();
        one(all.finish())
    };
    let before = 9u64 << 29;
    assert!(before > 1 << 32);
    let total: u64 = row.iter().map(|&x| u64::from(x)).sum();
    let added = row.iter().filter(|&&x| x == 77).count() as u64 * (251 - 77);
    assert_eq!(run(ReduceOp::Sum), HostVec::U64(vec![total * ((9 << 13) + 1) + added]));
    assert_eq!(run(ReduceOp::ArgMax), HostVec::U64(vec![before + 77]));
    let zeros = row.iter().filter(|&&x| x == 0).count() as u64;
    assert_eq!(run(ReduceOp::CountNonzero), HostVec::U64(vec![((9 << 13) + 1) * (row.len() as u64 - zeros)]));
}

#[test]
fn scans_go_on_beyond_2_to_the_31() {
    let n = (1usize << 31) + 5;
    let mut bytes = vec![0u8; n];
    (bytes[0], bytes[n - 2]) = (1, 9);
    let cpu = Backend::cpu();
    let running = cpu.scan_dyn(&bytes.as_slice().as_operand(), &Scan::max()).unwrap();
    let HostVec::U8(running) = running.into_host().unwrap() else { panic!("another dtype") };
    assert_eq!((running.len(), &running[n - 3..], running[1 << 31]), (n, &[1, 9, 9][..], 1));
}
