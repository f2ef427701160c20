//! `unisono reduce` against plain loops and the library.

mod common;

use std::fs;

use common::{arg, error, json, npy_header, stdout, unisono};
use ndarray::{Array, Array3, ArrayD, Axis, ShapeBuilder};
use ndarray_npy::{read_npy, write_npy};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use unisono::{Backend, Reduce};

fn file<T: ndarray_npy::WritableElement, D: ndarray::Dimension>(folder: &TempDir, array: &Array<T, D>) -> String {
    let path = folder.path().join("x.npy");
    write_npy(&path, array).unwrap();
    arg(&path).to_string()
}

fn value(args: &[&str]) -> Value {
    json(&[&["reduce"], args].concat())["value"].clone()
}

#[test]
fn every_dtype_and_operation_agrees_with_loops() {
    macro_rules! check {
        ($($T:ty)*) => {$({
            let folder = tempdir().unwrap();
            let values: Vec<$T> = [3u8, 1, 4, 1, 5, 0, 2].map(|x| x as $T).to_vec();
            let file = file(&folder, &ndarray::arr1(&values));
            let loops: f64 = values.iter().map(|&x| x as f64).sum();
            let number = |op: &str| value(&[&file, "--op", op]).as_f64();
            assert_eq!(number("sum"), Some(loops), stringify!($T));
            assert_eq!(number("mean"), Some(if stringify!($T) == "f32" { "2.2857144".parse().unwrap() } else { loops / 7.0 }));
            assert_eq!(number("prod"), Some(0.0));
            assert_eq!((number("min"), number("max")), (Some(0.0), Some(5.0)));
            assert_eq!((number("argmin"), number("argmax")), (Some(5.0), Some(4.0)));
            assert_eq!(number("count_nonzero"), Some(6.0));
            assert_eq!((value(&[&file, "--op", "any"]), value(&[&file, "--op", "all"])), (json!(true), json!(false)));
        })*};
    }
    check!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);
    let folder = tempdir().unwrap();
    let file = file(&folder, &ndarray::arr1(&[true, false, true]));
    assert_eq!((value(&[&file, "--op", "sum"]), value(&[&file, "--op", "max"])), (json!(2), json!(true)));
}

#[test]
fn axes_and_orders_agree_with_the_library() {
    let folder = tempdir().unwrap();
    let c = Array3::from_shape_fn((5, 6, 7), |(i, j, k)| ((i * 31 + j * 17 + k * 7) % 23) as f64 - 11.0 + 0.1 * j as f64);
    let mut f = Array3::zeros((5, 6, 7).f());
    f.assign(&c);
    assert!(!f.is_standard_layout());
    for array in [&c, &f] {
        let file = file(&folder, array);
        let raw = fs::read(&file).unwrap();
        let fortran = String::from_utf8_lossy(&raw[..100]).contains("'fortran_order': True");
        assert_eq!(fortran, !array.is_standard_layout());
        for op in ["sum", "mean", "min", "argmax"] {
            for axes in [&[0isize][..], &[-1], &[0, 2], &[1, -1], &[0, 1, 2]] {
                let how = Reduce::of(op.parse::<unisono::ReduceOp>().unwrap()).axes(axes);
                let expected = Backend::cpu().reduce_dyn(&unisono::AsOperand::as_operand(&c), &how).unwrap();
                let shape = expected.shape().to_vec();
                let list = axes.iter().map(isize::to_string).collect::<Vec<_>>().join(",");
                let report = json(&["reduce", &file, "--op", op, &format!("--axis={list}"), "--keepdims"]);
                let plain = json(&["reduce", &file, "--op", op, &format!("--axis={list}")]);
                assert_eq!(plain["shape"], json!(shape));
                assert_eq!(report["shape"].as_array().map(Vec::len), Some(3));
                let flat = flatten(&plain["value"]);
                assert_eq!(flat, flatten(&report["value"]));
                let expected: Vec<f64> = match expected.into_host().unwrap() {
                    unisono::HostVec::F64(vec) => vec,
                    unisono::HostVec::U64(vec) => vec.into_iter().map(|x| x as f64).collect(),
                    other => panic!("{other:?}"),
                };
                assert_eq!(flat, expected, "{op} {axes:?}");
            }
        }
    }
    let file = file(&folder, &c);
    assert_eq!(value(&[&file, "--op", "sum", "--axis", "0", "--axis", "-1"]), value(&[&file, "--op", "sum", "--axis=2,0"]));
}

fn flatten(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flatten).collect(),
        other => vec![other.as_f64().unwrap()],
    }
}

#[test]
fn floats_are_printed_to_the_last_bit() {
    let folder = tempdir().unwrap();
    let file = file(&folder, &ndarray::arr1(&[0.1f64, 0.2, 1e300, -1e300]));
    assert_eq!(stdout(&["reduce", &file, "--op", "sum"]), "0.30000000000000004\n");
    let file = self::file(&folder, &ndarray::arr2(&[[0.1f32, f32::NAN], [f32::INFINITY, -0.0]]));
    assert_eq!(stdout(&["reduce", &file, "--op", "sum", "--axis", "1"]), "[nan, inf]\n");
    assert_eq!(value(&[&file, "--op", "max", "--axis", "1"]), json!(["nan", "inf"]));
    assert_eq!(value(&[&file, "--op", "min", "--axis", "0"]), json!([0.1, "nan"]));
}

#[test]
fn a_result_can_be_written_to_a_file() {
    let folder = tempdir().unwrap();
    let array = Array3::from_shape_fn((4, 3, 5), |(i, j, k)| (100 * i + 10 * j + k) as u16);
    let (file, output) = (file(&folder, &array), folder.path().join("sum.npy"));
    assert_eq!(stdout(&["reduce", &file, "--op", "sum", "--axis", "0", "-o", arg(&output)]), "");
    let sums: ArrayD<u64> = read_npy(&output).unwrap();
    assert_eq!(sums, array.mapv(u64::from).sum_axis(Axis(0)).into_dyn());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no temporary file is left");
}

/// A folder of parts, one of masks and one of labels of the same names, and all of each in one file, are one array.
#[test]
fn masks_and_labels_may_be_folders_too() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let values = Array::from_shape_fn((23, 3), |(i, j)| ((i * 31 + j * 17) % 23) as f64 * 0.1 - 1.0);
    let masks = values.mapv(|x| x > -0.5);
    let labels = Array::from_shape_fn((23, 3), |(i, j)| ((i * 7 + j) % 4) as i16);
    for name in ["parts", "masks", "labels"] {
        fs::create_dir(at(name)).unwrap();
    }
    for (name, range) in [("a.npy", 0..9usize), ("b.npy", 9..10), ("c.npy", 10..23)] {
        let rows = ndarray::s![range, ..];
        write_npy(at("parts").join(name), &values.slice(rows)).unwrap();
        write_npy(at("masks").join(name), &masks.slice(rows)).unwrap();
        write_npy(at("labels").join(name), &labels.slice(rows)).unwrap();
    }
    write_npy(at("all.npy"), &values).unwrap();
    write_npy(at("mask.npy"), &masks).unwrap();
    write_npy(at("label.npy"), &labels).unwrap();
    write_npy(at("row.npy"), &ndarray::arr1(&[true, false, true])).unwrap();
    let [all, parts] = ["all.npy", "parts"].map(at);
    let run = |file: &std::path::Path, rest: &[&str]| value(&[&[arg(file)], rest].concat());
    for axis in ["0", "1", "0,1"] {
        for (op, initial) in [("sum", "2.5"), ("max", "-3"), ("mean", ""), ("std", "")] {
            let start: &[&str] = if initial.is_empty() { &[] } else { &["--initial", initial] };
            for (whole, each) in [("mask.npy", "masks"), ("mask.npy", "mask.npy"), ("row.npy", "row.npy")] {
                let [found, wanted] = [(&parts, each), (&all, whole)].map(|(file, mask)| {
                    let mask = at(mask);
                    run(file, &[&["--op", op, "--axis", axis, "--where", arg(&mask)][..], start].concat())
                });
                assert_eq!(found, wanted, "{op} {axis} {each}");
            }
        }
    }
    let [label, each] = ["label.npy", "labels"].map(at);
    for op in ["count", "sum", "var", "min", "argmax"] {
        let whole = run(&all, &["--op", op, "--labels", arg(&label)]);
        for labels in [&label, &each] {
            assert_eq!(run(&parts, &["--op", op, "--labels", arg(labels)]), whole, "{op}");
        }
    }
    let wrong = |rest: &[&str]| error(2, &[&["reduce", arg(&parts)], rest].concat());
    assert!(wrong(&["--op", "median", "--labels", arg(&each)]).contains("expected one"));
    assert!(wrong(&["--op", "mean", "--initial", "1"]).contains("initial"));
    assert!(wrong(&["--op", "sum", "--initial", "x"]).contains("expected a number"));
    fs::remove_file(at("masks").join("b.npy")).unwrap();
    assert!(error(1, &["reduce", arg(&parts), "--op", "sum", "--where", arg(&at("masks"))]).contains("b.npy"));
    write_npy(at("masks").join("b.npy"), &masks).unwrap();
    let text = error(1, &["reduce", arg(&parts), "--op", "sum", "--where", arg(&at("masks"))]);
    assert!(text.contains("[23, 3]") && text.contains("[1, 3]"), "{text}");
    assert_eq!(value(&[arg(&all), "--op", "sum", "--memory", "1MiB"]), value(&[arg(&all), "--op", "sum"]));
}

#[test]
fn files_that_cannot_be_read_say_why() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let error = |code, rest: &[&str]| common::error(code, &[&["reduce", arg(&path), "--op", "sum"], rest].concat());
    assert!(error(1, &[]).contains("No such file"));
    fs::write(&path, b"hello").unwrap();
    assert!(error(1, &[]).contains("not a .npy file"));
    let header = |descr: &str| {
        let mut bytes = npy_header(descr, "(3,)");
        bytes.extend([0; 24]);
        bytes
    };
    fs::write(&path, header("<f8")).unwrap();
    unisono(&["reduce", arg(&path), "--op", "sum"]).assert().success().stdout("0.0\n");
    fs::write(&path, header(">f8")).unwrap();
    assert!(error(1, &[]).contains("big-endian"));
    fs::write(&path, header("<c8")).unwrap();
    assert!(error(1, &[]).contains("\"<c8\" is not supported"));
    fs::write(&path, &header("<f8")[..140]).unwrap();
    assert!(error(1, &[]).contains("too early"));
    fs::write(&path, header("<f4")).unwrap();
    assert!(error(1, &[]).contains("more than its header says"));
    for shape in ["(9223372036854775807, 0, 9)", "(0, 4294967296, 4294967296)", "(9223372036854775807, 0)"] {
        fs::write(&path, npy_header("<f8", shape)).unwrap();
        assert!(error(1, &[]).contains("got shape"), "{shape}");
    }
    write_npy(&path, &Array3::<f32>::zeros((2, 3, 4))).unwrap();
    assert!(error(2, &["--axis", "3"]).contains("axis: got 3"));
    assert!(error(2, &["--axis", "0,0"]).contains("every axis once"));
    assert!(common::error(2, &["reduce", arg(&path), "--op", "mode"]).contains("mode"));
}

#[test]
fn empty_reductions_have_their_identities() {
    let folder = tempdir().unwrap();
    let file = file(&folder, &ndarray::Array2::<f64>::zeros((0, 3)));
    assert_eq!(stdout(&["reduce", &file, "--op", "sum"]), "0.0\n");
    assert_eq!(stdout(&["reduce", &file, "--op", "prod", "--axis", "0"]), "[1.0, 1.0, 1.0]\n");
    assert_eq!(stdout(&["reduce", &file, "--op", "mean"]), "nan\n");
    assert!(error(2, &["reduce", &file, "--op", "max"]).contains("at least one element"));
}

#[test]
fn several_empty_files_are_one() {
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    write_npy(at("a.npy"), &ndarray::Array2::<f64>::zeros((0, 3))).unwrap();
    write_npy(at("b.npy"), &ndarray::Array2::<f64>::zeros((0, 3))).unwrap();
    write_npy(at("mask.npy"), &ndarray::Array2::from_elem((0, 3), true)).unwrap();
    let (one, two, mask) = (at("a.npy"), at("b.npy"), at("mask.npy"));
    for (op, each) in [
        ("sum", json!(0.0)),
        ("mean", json!("nan")),
        ("var", json!("nan")),
        ("prod", json!(1.0)),
        ("any", json!(false)),
        ("all", json!(true)),
        ("norm", json!(0.0)),
        ("count_nonzero", json!(0)),
    ] {
        let run = |rest: &[&str]| value(&[&[arg(&one), arg(&two), "--op", op], rest].concat());
        for masked in [&[][..], &["--where", arg(&mask)]] {
            assert_eq!(run(&[&["--axis", "0"], masked].concat()), json!([each, each, each]), "{op}");
            assert_eq!(run(&[&["--axis", "1"], masked].concat()), json!([]), "{op}");
            assert_eq!(run(masked), each, "{op}");
        }
    }
    write_npy(&two, &ndarray::arr2(&[[1.0, 5.0, 2.0]])).unwrap();
    for files in [[&one, &two], [&two, &one]] {
        let files = files.map(|path| arg(path));
        assert_eq!(value(&[&files[..], &["--op", "max", "--axis", "0"]].concat()), json!([1.0, 5.0, 2.0]));
        // One row in all is that row, not one for every row.
        let labels = at("labels.npy");
        write_npy(&labels, &ndarray::arr2(&[[7u8, 7, 9]])).unwrap();
        assert_eq!(value(&[&files[..], &["--op", "sum", "--labels", arg(&labels)]].concat()), json!([6.0, 2.0]));
        for row in [ndarray::arr2(&[[true, false, true]]), ndarray::arr2(&[[true]])] {
            write_npy(&mask, &row).unwrap();
            let wanted = if row.len() == 1 { 8.0 } else { 3.0 };
            assert_eq!(value(&[&files[..], &["--op", "sum", "--where", arg(&mask)]].concat()), json!(wanted));
        }
    }
    write_npy(&one, &ndarray::arr0(1.0)).unwrap();
    write_npy(&two, &ndarray::arr0(1.0)).unwrap();
    assert!(error(1, &["reduce", arg(folder.path()), "--op", "sum"]).contains("a.npy: has no axis"));
}

#[test]
fn an_input_is_not_replaced() {
    let folder = tempdir().unwrap();
    let file = file(&folder, &ndarray::arr1(&[1u8, 2, 3]));
    let before = fs::read(&file).unwrap();
    let named = format!("x={file}");
    for args in [
        &["reduce", &file, "--op", "cumsum"][..],
        &["reduce", &file, "--op", "sum"],
        &["reduce", arg(folder.path()), "--op", "sum", "--labels", &file],
        &["histogram", &file],
        &["map", "x + 1", &named],
    ] {
        let text = error(2, &[args, &["-o", &file]].concat());
        assert!(text.contains("x.npy, an input; expected another file"), "{text}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
}

/// Links are followed; what is no regular file is written, not replaced; names may be as long as the system allows.
#[cfg(unix)]
#[test]
fn results_go_where_a_name_leads() {
    use std::io::Read;
    use std::os::unix::fs::{FileTypeExt, symlink};
    let folder = tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let file = file(&folder, &ndarray::arr1(&[1u8, 2, 3]));
    let run = |output: &str| stdout(&["reduce", &file, "--op", "cumsum", "-o", output]);
    let wanted = ndarray::arr1(&[1u64, 3, 6]).into_dyn();
    write_npy(at("there.npy"), &ndarray::arr1(&[0u8])).unwrap();
    for (link, target) in [("a.npy", "there.npy"), ("b.npy", "later.npy"), ("c.npy", "b.npy")] {
        symlink(target, at(link)).unwrap();
        run(arg(&at(link)));
        assert!(fs::symlink_metadata(at(link)).unwrap().is_symlink(), "{link}");
        assert_eq!(read_npy::<_, ArrayD<u64>>(at(target)).unwrap(), wanted, "{link}");
    }
    assert!(!fs::symlink_metadata(at("later.npy")).unwrap().is_symlink());
    symlink("/dev/null", at("null.npy")).unwrap();
    run(arg(&at("null.npy")));
    assert!(fs::metadata(at("null.npy")).unwrap().file_type().is_char_device());
    let long = at(&format!("{}.npy", "n".repeat(251)));
    run(arg(&long));
    assert_eq!(read_npy::<_, ArrayD<u64>>(&long).unwrap(), wanted);
    let pipe = at("pipe.npy");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Open for both, so that neither side waits for the other.
    let mut reader = fs::File::options().read(true).write(true).open(&pipe).unwrap();
    run(arg(&pipe));
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    let mut bytes = vec![0; fs::read(&long).unwrap().len()];
    reader.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, fs::read(&long).unwrap());
    let mut command = unisono(&["reduce", &file, "--op", "cumsum", "-o", "/dev/stdout"]);
    assert_eq!(command.assert().success().get_output().stdout, bytes);
}

/// Names are any bytes on Linux; JSON shows them as well as it can.
#[cfg(target_os = "linux")]
#[test]
fn names_need_not_be_unicode() {
    use std::ffi::{OsStr, OsString};
    use std::os::unix::ffi::OsStrExt;
    let folder = tempdir().unwrap();
    let path = folder.path().join(OsStr::from_bytes(b"bad\xff=.npy"));
    write_npy(&path, &ndarray::arr1(&[1.0, 2.0])).unwrap();
    let run = |args: &[&OsStr]| -> Value {
        let output = unisono(&[]).args(args).arg("--json").assert().success().get_output().stdout.clone();
        serde_json::from_slice(&output).unwrap()
    };
    let [reduce, op, map] = ["reduce", "--op", "map"].map(OsStr::new);
    for name in ["sum", "topk:1"] {
        let report = run(&[reduce, path.as_os_str(), op, OsStr::new(name)]);
        assert!(report["file"].as_str().unwrap().ends_with("bad\u{fffd}=.npy"), "{report}");
    }
    let mut named = OsString::from("x=");
    named.push(&path);
    assert_eq!(run(&[map, OsStr::new("2*x"), &named])["value"], json!([2.0, 4.0]));
}

/// 2.2 GiB of bytes in a file that takes no room: more than one tile, and more than 2^31 elements.
#[cfg(target_os = "linux")]
#[test]
fn a_sparse_file_of_gigabytes_is_streamed() {
    use std::io::{Seek, SeekFrom, Write};
    use std::os::unix::fs::MetadataExt;
    let folder = tempdir().unwrap();
    let path = folder.path().join("sparse.npy");
    let len = 2_300_000_001usize;
    let mut out = fs::File::create(&path).unwrap();
    ndarray_npy::write_zeroed_npy::<u8, _>(&out, len).unwrap();
    out.seek(SeekFrom::End(-3)).unwrap();
    out.write_all(&[7]).unwrap();
    out.seek(SeekFrom::Start(1_000_128)).unwrap();
    out.write_all(&[9]).unwrap();
    drop(out);
    if fs::metadata(&path).unwrap().blocks() > 100_000 {
        eprintln!("skipped: this file system has no sparse files");
        return;
    }
    let value = |op: &str| value(&[arg(&path), "--op", op]).as_u64();
    assert_eq!((value("sum"), value("argmax")), (Some(16), Some(1_000_000)));
}
