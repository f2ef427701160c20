//! Memory that is not there is an error, not the end of the process.
#![cfg(target_os = "linux")]

use std::process::Command;

use unisono::{AsOperand, Backend, Bins, Error, GroupOp, LabelPartials};

/// Set in the process whose address space is bounded.
const BOUNDED: &str = "UNISONO_TEST_BOUNDED";

#[test]
fn groups_and_bins_without_number_are_refused() {
    if std::env::var_os(BOUNDED).is_none() {
        let own = std::env::current_exe().unwrap();
        let bounded = ["-c", "ulimit -v 2000000 && exec \"$0\" --test-threads=1"];
        assert!(Command::new("sh").args(bounded).arg(own).env(BOUNDED, "1").status().unwrap().success());
        return;
    }
    let backend = Backend::cpu_threads(2).unwrap();
    let (values, labels) = ([1.0, 2.0], [1i64, 2]);
    let (values, labels) = (values.as_operand(), labels.as_operand());
    let (few, many): (Vec<i64>, Vec<i64>) = ((0..4000).collect(), (0..10_000_000).collect());
    let var = GroupOp::Var { ddof: 0 };
    let results = [
        backend.bincount(&[1_000_000_000u32].as_operand(), None, 0).map(drop),
        backend.bincount(&labels, Some(&values), 1_000_000_000).map(drop),
        backend.histogram(&[1.0, 2.0], &Bins::uniform(3_000_000_000)).map(drop),
        backend.reduce_by_label(&values, &labels, var, Some(&many)).map(drop),
        backend.histogram_by_label(&values, &labels, &Bins::uniform(1_000_000), Some(&few)).map(drop),
        backend.label_partials(&values, &labels, var, Some(&many)).map(drop),
        LabelPartials::empty(GroupOp::Sum, unisono::Dtype::F64, Some(many)).map(drop),
    ];
    for (i, result) in results.iter().enumerate() {
        assert!(matches!(result, Err(Error::OutOfMemory { device, .. }) if device == "the host"), "{i}: {result:?}");
    }
    let refused = backend.histogram(&[1.0, 2.0], &Bins::uniform(99_999_999_999_999)).unwrap_err();
    assert_eq!(refused.to_string(), "bins: got 99999999999999, expected fewer than 2^32");
}
