//! Quantiles, scans and histograms on the command line.

mod common;

use common::{arg, error, json, stdout};
use ndarray::{Array1, arr1, arr2};
use ndarray_npy::{read_npy, write_npy};
use serde_json::json;
use tempfile::tempdir;

#[test]
fn quantiles_and_scans_are_operations_of_reduce() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    write_npy(&path, &arr2(&[[7.0, 1.0, 4.0], [3.0, 9.0, f64::NAN]])).unwrap();
    let value = |op: &str, axis: &str| json(&["reduce", arg(&path), "--op", op, "--axis", axis])["value"].clone();
    assert_eq!(value("median", "1"), json!([4.0, "nan"]));
    assert_eq!(value("nanmedian", "1"), json!([4.0, 6.0]));
    assert_eq!(value("quantile:0.25", "0"), json!([4.0, 3.0, "nan"]));
    assert_eq!(value("percentile:25", "0"), json!([4.0, 3.0, "nan"]));
    assert_eq!(value("cumsum", "-1"), json!([[7.0, 8.0, 12.0], [3.0, 12.0, "nan"]]));
    assert_eq!(value("logsumexp", "0")[0], json!((7f64 + (1.0 + (-4f64).exp()).ln())));
    let output = folder.path().join("out.npy");
    write_npy(&path, &arr1(&[3u8, 1, 2])).unwrap();
    assert_eq!(stdout(&["reduce", arg(&path), "--op", "cumsum", "-o", arg(&output)]), "");
    assert_eq!(read_npy::<_, Array1<u64>>(&output).unwrap(), arr1(&[3, 4, 6]));
    assert!(error(2, &["reduce", arg(&path), "--op", "quantile:1.5"]).contains("from 0 to 1"));
    assert!(error(2, &["reduce", arg(&path), "--op", "cumsum", "--axis", "0,1"]).contains("one axis"));
}

#[test]
fn histograms_are_printed_and_written() {
    let folder = tempdir().unwrap();
    let (path, weights) = (folder.path().join("x.npy"), folder.path().join("w.npy"));
    write_npy(&path, &arr1(&[1.0, 2.0, 2.0, 5.0])).unwrap();
    write_npy(&weights, &arr1(&[1e100, 1.0, 0.5, -1e100])).unwrap();
    let report = json(&["histogram", arg(&path), "--bins", "4"]);
    assert_eq!((&report["counts"], &report["edges"]), (&json!([1, 2, 0, 1]), &json!([1.0, 2.0, 3.0, 4.0, 5.0])));
    let report = json(&["histogram", arg(&path), "--edges=-1,2,9", "--weights", arg(&weights)]);
    assert_eq!((&report["values"], &report["counts"]), (&json!([1e100, -1e100]), &json!([1, 3])));
    let report = json(&["histogram", arg(&path), "--bins", "1", "--range=-1,10", "--weights", arg(&weights)]);
    assert_eq!(report["values"], json!([1.5]));
    let output = folder.path().join("h.npy");
    assert_eq!(stdout(&["histogram", arg(&path), "--bins", "2", "-o", arg(&output)]), "");
    assert_eq!(read_npy::<_, Array1<u64>>(&output).unwrap(), arr1(&[3, 1]));
    assert!(stdout(&["histogram", arg(&path), "--bins", "2"]).contains("█"));
    assert!(error(2, &["histogram", arg(&path), "--bins", "0"]).contains("at least 1"));
}
