//! Quantiles, scans and histograms on the command line.

mod common;

use common::{arg, error, json, stdout};
use ndarray::{Array1, Array2, arr1, arr2};
use ndarray_npy::{read_npy, write_npy};
use serde_json::json;
use tempfile::tempdir;
use unisono::{Dtype, Scan, ScanPlan};

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
    let value = |args: &[&str]| json(&[&["reduce", arg(&path)], args].concat())["value"].clone();
    assert_eq!(value(&["--op", "cumsum", "--include-initial"]), json!([0, 3, 4, 6]));
    assert_eq!(value(&["--op", "quantile:0.25", "--method", "hazen"]), json!(1.25));
    let weights = folder.path().join("w.npy");
    write_npy(&weights, &arr1(&[1.0, 0.5, 0.25])).unwrap();
    assert_eq!(value(&["--op", "quantile:0.5", "--weights", arg(&weights)]), json!(3));
    assert_eq!(value(&["--op", "mean", "--mode", "fast"]), json!(2.0));
    for (op, option) in [("sum", "--reverse"), ("cumsum", "--smallest"), ("sum", "--method=hazen"), ("topk:1", "--skip-nan")] {
        let text = error(2, &["reduce", arg(&path), "--op", op, option]);
        assert!(text.contains(&option[..6]) && text.contains("is for"), "{text}");
    }
}

/// NumPy's names with `nan` in front are those without it, with --skip-nan.
#[test]
fn nan_in_front_passes_over_it() {
    let folder = tempdir().unwrap();
    let [first, second] = ["a.npy", "b.npy"].map(|name| folder.path().join(name));
    write_npy(&first, &arr2(&[[7.0, f64::NAN, 4.0], [3.0, 9.0, f64::NAN]])).unwrap();
    write_npy(&second, &arr2(&[[f64::NAN, 2.0, 5.0]])).unwrap();
    let run = |files: &[&str], op: &str, rest: &[&str]| json(&[&["reduce", "--op", op][..], files, rest].concat());
    let (one, both) = ([arg(&first)], [arg(&first), arg(&second)]);
    for op in ["sum", "prod", "mean", "var", "std", "min", "max", "argmin", "argmax", "median", "cumsum", "cumprod"] {
        let (name, axis) = (format!("nan{op}"), ["--axis", "0"]);
        let found = run(&one, &name, &axis);
        assert_eq!(found["op"], json!(name));
        assert_eq!(found["value"], run(&one, op, &[&axis[..], &["--skip-nan"]].concat())["value"], "{op}");
        assert!(!found["value"].to_string().contains("nan"), "{found}");
    }
    assert_eq!(run(&one, "nancumsum", &[])["value"], json!([7.0, 7.0, 11.0, 14.0, 23.0, 23.0]));
    assert_eq!(run(&both, "nansum", &["--axis", "0", "--initial", "1"])["value"], json!([11.0, 12.0, 10.0]));
    assert_eq!(run(&both, "nanvar", &["--axis", "0", "--ddof", "1"])["value"], json!([8.0, 24.5, 0.5]));
    for op in ["nanptp", "nanany", "nannorm", "nancummax", "nantopk:1", "nandot", "nancount"] {
        let text = error(2, &["reduce", arg(&first), "--op", op]);
        assert!(text.contains(&format!("got \"{op}\", expected sum")) && text.contains("nansum, nanmedian"), "{text}");
    }
    let text = error(2, &["reduce", arg(&first), "--op", "nansum", "--ddof", "1"]);
    assert_eq!(text, "error: --ddof is for var and std, not for nansum\n");
}

/// Every option is refused with the operations that would not look at it, and taken with those that do.
#[test]
fn no_option_is_passed_over() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    write_npy(&path, &arr1(&[3.0, 1.0, 2.0])).unwrap();
    for (options, ops) in [
        (&["--ord", "1"][..], "sum var cumsum logsumexp median topk:1"),
        (&["--ddof", "1"], "sum min max mean norm median cumsum topk:1 logsumexp"),
        (&["--mode", "fast"], "prod min var max norm median cumsum topk:1 logsumexp"),
        (&["--overflow", "wrap"], "mean min var any norm median cummax topk:1 logsumexp"),
        (&["--initial", "1"], "mean cumsum median topk:1"),
        (&["--keepdims"], "cumsum topk:1"),
        (&["--skip-nan"], "topk:1 logsumexp cummin cummax"),
        (&["--exclusive"], "sum median cummin cummax"),
        (&["--include-initial"], "sum median cummin cummax"),
        (&["--weights", "x.npy"], "sum cumsum topk:1 logsumexp"),
    ] {
        for op in ops.split(' ') {
            let text = error(2, &[&["reduce", arg(&path), "--op", op], options].concat());
            assert!(text.contains(&format!("{} is for ", options[0])) && text.ends_with(&format!("not for {op}\n")), "{text}");
        }
    }
    let text = error(2, &["reduce", arg(&path), "--op", "min", "--mode", "fast"]);
    assert_eq!(text, "error: --mode is for sum and mean, not for min\n");
    let text = error(2, &["reduce", arg(&path), "--op", "cummax", "--exclusive"]);
    assert_eq!(text, "error: --exclusive is for cumsum and cumprod, not for cummax\n");
    for (how, text) in [
        (Scan::max().exclusive(), "cummax: got exclusive"),
        (Scan::max().include_initial(), "cummax: got include_initial"),
        (Scan::min().skip_nan(), "cummin: got skip_nan"),
    ] {
        let expected = format!("{text}, expected cumsum or cumprod: an extreme needs at least one element");
        assert_eq!(ScanPlan::new(&how, Dtype::F64, &[3]).unwrap_err().to_string(), expected);
    }
    for (options, ops) in [
        (&["--ord", "1"][..], "norm"),
        (&["--ddof", "1"], "var std"),
        (&["--mode", "fast"], "sum mean"),
        (&["--overflow", "wrap"], "sum prod ptp cumsum cumprod"),
        (&["--initial", "1"], "sum prod min max"),
    ] {
        ops.split(' ').for_each(|op| _ = stdout(&[&["reduce", arg(&path), "--op", op], options].concat()));
    }
    let text = error(2, &["reduce", arg(&path), arg(&path), "--op", "dot", "--skip-nan"]);
    assert!(text.contains("not for dot"), "{text}");
}

#[test]
fn histograms_of_labels_and_of_values() {
    let folder = tempdir().unwrap();
    let [path, labels, weights, output] = ["x.npy", "labels.npy", "w.npy", "out.npy"].map(|name| folder.path().join(name));
    write_npy(&path, &arr2(&[[0.5, 1.5, 1.75], [0.25, 3.0, f64::NAN]])).unwrap();
    write_npy(&labels, &arr2(&[[1u8, 1, 2], [1, 5, 5]])).unwrap();
    let base = ["histogram", arg(&path), "--bins", "2", "--range", "0,2", "--labels", arg(&labels)];
    let report = json(&base);
    assert_eq!(
        (&report["edges"], &report["labels"], &report["counts"]),
        (&json!([0.0, 1.0, 2.0]), &json!([1, 2, 5]), &json!([[2, 1], [0, 1], [0, 0]]))
    );
    let some = |more: &[&str]| stdout(&[&base[..], &["--index", "2,-3,1"], more].concat());
    assert_eq!(some(&[]), "label\t0 … 1\t1 … 2\n2\t0\t1\n-3\t0\t0\n1\t2\t1\n");
    assert_eq!(some(&["-o", arg(&output)]), "");
    assert_eq!(read_npy::<_, Array2<u64>>(&output).unwrap(), arr2(&[[0, 1], [0, 0], [2, 1]]));
    let values = |more: &[&str]| json(&[&["histogram", arg(&labels), "--bincount"], more].concat())["values"].clone();
    assert_eq!(values(&[]), json!([0, 3, 1, 0, 0, 2]));
    assert_eq!(values(&["--min-length", "8"]), json!([0, 3, 1, 0, 0, 2, 0, 0]));
    write_npy(&weights, &arr2(&[[0.5, 1e100, 2.0], [-1e100, 4.0, 0.25]])).unwrap();
    assert_eq!(values(&["--weights", arg(&weights)]), json!([0.0, 0.5, 2.0, 0.0, 0.0, 4.25]));
    assert_eq!(stdout(&["histogram", arg(&labels), "--bincount"]), "0\t0\n1\t3\n2\t1\n3\t0\n4\t0\n5\t2\n");
    assert!(error(2, &["histogram", arg(&labels), "--bincount", "--bins", "3"]).contains("--bins"));
    assert!(error(2, &["histogram", arg(&labels), "--min-length", "3"]).contains("--bincount"));
    for other in [&["--bins", "3"][..], &["--range", "0,1"], &["--edges", "0,1"], &["--labels", arg(&labels)], &["--density"]] {
        let text = error(2, &[&["histogram", arg(&labels), "--min-length", "3"], other].concat());
        assert!(text.contains("--min-length") && text.contains(other[0]), "{text}");
    }
    for other in [&["--bincount"][..], &["--weights", arg(&weights)], &["--density"]] {
        assert!(error(2, &[&["histogram", arg(&labels), "--index", "1"], other].concat()).contains("--index"));
    }
    assert!(error(2, &["histogram", arg(&path), "--labels", arg(&labels), "--weights", arg(&weights)]).contains("--weights"));
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

#[test]
fn the_largest_masks_and_dots_are_operations_of_reduce() {
    let folder = tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let (x, y, mask) = (file("x.npy"), file("y.npy"), file("mask.npy"));
    write_npy(&x, &arr2(&[[1e200, 1.0, 3.0], [-7.0, 2.0, f64::NAN]])).unwrap();
    write_npy(&y, &arr2(&[[1e200, 3.0, 1.0], [0.0, 4.0, 1.0]])).unwrap();
    write_npy(&mask, &arr2(&[[false, true, true], [true, true, false]])).unwrap();
    let value = |args: &[&str]| json(&[&["reduce", arg(&x)], args].concat())["value"].clone();
    let report = json(&["reduce", arg(&y), "--op", "topk:2"]);
    assert_eq!((&report["value"], &report["indices"]), (&json!([[1e200, 3.0], [4.0, 1.0]]), &json!([[0, 1], [1, 2]])));
    let report = json(&["reduce", arg(&y), "--op", "topk:1", "--axis", "0", "--smallest"]);
    assert_eq!((&report["value"], &report["indices"]), (&json!([[0.0, 3.0, 1.0]]), &json!([[1, 0, 0]])));
    let output = file("largest.npy");
    let report = json(&["reduce", arg(&y), "--op", "topk:1", "-o", arg(&output)]);
    assert_eq!((&report["value"], &report["indices"]), (&json!(null), &json!([[0], [1]])));
    assert_eq!(read_npy::<_, Array2<f64>>(&output).unwrap(), arr2(&[[1e200], [4.0]]));
    assert_eq!(value(&[arg(&y), "--op", "dot", "--axis", "1"]), json!(["inf", "nan"]));
    assert_eq!(value(&["--op", "sum", "--where", arg(&mask)]), json!(-1.0));
    assert_eq!(value(&["--op", "median", "--where", arg(&mask)]), json!(1.5));
    assert_eq!(value(&["--op", "mean", "--where", arg(&mask), "--axis", "1"]), json!([2.0, -2.5]));
    assert_eq!(value(&["--op", "cumsum", "--skip-nan", "--reverse", "--axis", "1"])[1], json!([-5.0, 2.0, 0.0]));
    assert_eq!(value(&["--op", "cumsum", "--exclusive", "--axis", "0"])[1], json!([1e200, 1.0, 3.0]));
    write_npy(&y, &arr1(&[100u8, 100, 100])).unwrap();
    let wrapped = json(&["reduce", arg(&y), "--op", "cumsum", "--dtype", "uint8", "--overflow", "wrap"]);
    assert_eq!((&wrapped["value"], &wrapped["dtype"]), (&json!([100, 200, 44]), &json!("uint8")));
    assert!(error(1, &["reduce", arg(&y), "--op", "cumsum", "--dtype", "uint8"]).contains("does not fit"));
    assert_eq!(error(2, &["reduce", arg(&x), "--op", "dot"]), "error: --op dot: got 1 file, expected two\n");
    let text = error(2, &["reduce", arg(&x), arg(&y), "--op", "cumsum"]);
    assert_eq!(text, "error: --op cumsum: got 2 files, expected one: it takes all elements together\n");
    assert!(error(2, &["reduce", arg(&x), "--op", "cumsum", "--where", arg(&mask)]).contains("--where is for"));
    assert!(error(2, &["reduce", arg(&x), "--op", "topk"]).contains("topk:10"));
    assert!(error(2, &["reduce", arg(&x), "--op", "sum", "--where", arg(&y)]).contains("expected bool"));
}

#[test]
fn labels_have_a_result_each() {
    let folder = tempdir().unwrap();
    let (x, labels, output) = (folder.path().join("x.npy"), folder.path().join("l.npy"), folder.path().join("o.npy"));
    write_npy(&x, &arr1(&[1.0, 2.0, 5.0, 8.0, 1e100])).unwrap();
    write_npy(&labels, &arr1(&[1i16, 3, 1, -2, -2])).unwrap();
    let run = |args: &[&str]| json(&[&["reduce", arg(&x), "--labels", arg(&labels)], args].concat());
    let report = run(&["--op", "var"]);
    assert_eq!((&report["labels"], &report["value"][1]), (&json!([-2, 1, 3]), &json!(4.0)));
    assert_eq!(run(&["--op", "var", "--ddof", "1", "--index", "1"])["value"], json!([8.0]));
    assert_eq!(run(&["--op", "median", "--index", "1,7,3"])["value"], json!([3.0, "nan", 2.0]));
    assert_eq!(run(&["--op", "argmax"])["value"], json!([4, 2, 1]));
    assert_eq!((&run(&["--op", "count"])["value"], &run(&["--op", "count"])["dtype"]), (&json!([2, 2, 1]), &json!("uint64")));
    assert_eq!(run(&["--op", "count", "--index", "7,1"])["value"], json!([0, 2]));
    assert!(error(2, &["reduce", arg(&x), "--op", "count"]).contains("--op count is for --labels"));
    let base = ["reduce", arg(&x), "--labels", arg(&labels)];
    assert_eq!(stdout(&[&base[..], &["--op", "min", "--index", "3,-2"]].concat()), "3\t2.0\n-2\t8.0\n");
    assert_eq!(stdout(&[&base[..], &["--op", "sum", "-o", arg(&output)]].concat()), "");
    assert_eq!(read_npy::<_, Array1<f64>>(&output).unwrap(), arr1(&[1e100, 6.0, 2.0]));
    let wrong = |args: &[&str]| error(2, &[&base[..], args].concat());
    for op in ["prod", "count_nonzero", "cumsum", "topk:1", "nansum", "nanmedian"] {
        assert!(wrong(&["--op", op]).contains(&format!("got {op}, expected count, sum")));
    }
    for options in [
        &["--weights", arg(&x)][..],
        &["--method", "hazen"],
        &["--mode", "fast"],
        &["--ord", "1"],
        &["--overflow", "wrap"],
        &["--where", arg(&x)],
        &["--axis", "0"],
    ] {
        let text = wrong(&[&["--op", "sum"], options].concat());
        assert!(text.contains(options[0]) && text.contains("does not go with --labels"), "{text}");
    }
    assert!(wrong(&["--op", "sum", "--ddof", "1"]).contains("--ddof is for var and std, not for sum"));
    let wide = folder.path().join("wide.npy");
    write_npy(&wide, &arr1(&[1u64, 1, 1, 1, 1 << 63])).unwrap();
    let text = error(2, &["reduce", arg(&x), "--op", "sum", "--labels", arg(&wide)]);
    assert!(text.contains("expected none above 9223372036854775807"), "{text}");
    assert!(error(2, &["reduce", arg(&labels), "--op", "sum", "--labels", arg(&x)]).contains("expected integers"));
}
