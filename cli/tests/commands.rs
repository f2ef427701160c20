//! The commands as a whole: help, devices, π, compare, exit codes.

mod common;

use common::{arg, error, json, stdout, unisono};
use serde_json::Value;

#[test]
fn help_and_version_are_there() {
    assert_eq!(stdout(&["--version"]), format!("unisono {}\n", env!("CARGO_PKG_VERSION")));
    let help = stdout(&["--help"]);
    for word in ["devices", "convolve", "reduce", "map", "integrate", "pi", "compare", "UNISONO_DEVICE", "Exit codes"] {
        assert!(help.contains(word), "{word}");
    }
    for command in ["devices", "convolve", "reduce", "map", "integrate", "pi", "compare"] {
        let help = stdout(&[command, "--help"]);
        assert!(help.contains("JSON on one line") && help.contains("--device"), "{command}");
    }
    for (command, text) in [("reduce", "all of them, of topk the last"), ("integrate", "1e7 (in Python and Rust 2^20)")] {
        assert!(stdout(&[command, "--help"]).contains(text), "{command}");
    }
    unisono(&[]).assert().code(2);
    error(2, &["frobnicate"]);
}

/// A program that reads lines has a report with each.
#[test]
fn reports_in_json_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let [array, picture] = ["x.npy", "x.png"].map(|name| folder.path().join(name));
    ndarray_npy::write_npy(&array, &ndarray::array![[1.0, 2.0], [3.0, 4.0]]).unwrap();
    let (camera, named) = (common::data("camera.png"), format!("x={}", arg(&array)));
    for args in [
        &["devices"][..],
        &["pi", "-n", "1e4"],
        &["integrate", "x", "x=0:1", "-n", "1e4"],
        &["convolve", arg(&camera), "-o", arg(&picture), "-k", "box:3"],
        &["reduce", arg(&array), "--op", "cumsum"],
        &["map", "2*x", &named],
        &["histogram", arg(&array)],
    ] {
        let text = stdout(&[args, &["--json"]].concat());
        assert!(text.ends_with('\n') && text.lines().count() == 1, "{args:?}: {text}");
    }
}

/// Without a seed the samples are those of the library without one.
#[test]
fn the_seed_is_0_unless_another_is_given() {
    let report = json(&["pi", "-n", "1e5"]);
    let expected = unisono::Backend::cpu().pi(100_000, 0).unwrap();
    assert_eq!((report["seed"].as_u64(), report["hits"].as_u64()), (Some(0), Some(expected.hits)));
    let report = json(&["integrate", "x*x", "x=0:1", "-n", "1e5"]);
    let how = unisono::Integrate::new("x*x", &[("x", 0.0, 1.0)]).unwrap().samples(100_000);
    let expected = unisono::Backend::cpu().integrate(&how).unwrap();
    assert_eq!((report["seed"].as_u64(), report["estimate"].as_f64()), (Some(0), Some(expected.estimate)));
}

#[test]
fn devices_are_listed_with_reasons() {
    let text = stdout(&["devices"]);
    assert!(text.starts_with("cpu  ") && text.contains("auto      ✓"), "{text}");
    let list = json(&["devices"]);
    let cpu = &list[0];
    assert_eq!((cpu["id"].as_str(), cpu["class"].as_str()), (Some("cpu"), Some("CPU")));
    assert!(cpu["threads"].as_u64().unwrap() >= 1 && cpu["reason"].as_str().is_some_and(|r| !r.is_empty()));
    assert_eq!(cpu["dtypes"].as_array().map(Vec::len), Some(11));
    let one = json(&["devices", "--device", "cpu:1"]);
    assert_eq!((one.as_array().map(Vec::len), one[0]["threads"].as_u64()), (Some(1), Some(1)));
}

#[test]
fn devices_that_cannot_be_used_are_refused() {
    assert!(error(2, &["pi", "-n", "1", "--device", "frob"]).contains("\"frob\""));
    assert!(error(2, &["pi", "-n", "1", "--device", "cpu:0"]).contains("got 0"));
    assert!(error(1, &["pi", "-n", "1", "--device", "gpu:99"]).contains("gpu:99"));
    let output = unisono(&["pi", "-n", "1"]).env("UNISONO_DEVICE", "gpu:99").assert().code(1).get_output().stderr.clone();
    assert!(String::from_utf8_lossy(&output).contains("gpu:99"));
}

#[test]
fn pi_is_the_same_however_it_is_asked() {
    let expected = unisono::Backend::cpu().pi(10_000_000, 7).unwrap();
    for (samples, device) in [("10_000_000", "cpu"), ("1e7", "cpu:1"), ("0.01e9", "cpu:1+cpu:1")] {
        let report = json(&["pi", "--samples", samples, "--seed", "7", "--device", device]);
        assert_eq!((report["hits"].as_u64(), report["samples"].as_u64()), (Some(expected.hits), Some(10_000_000)));
        assert_eq!(report["estimate"].as_f64(), Some(expected.estimate));
        assert_eq!(report["standard_error"].as_f64(), Some(expected.standard_error));
        assert_eq!((&report["interrupted"], report["seed"].as_u64()), (&Value::Bool(false), Some(7)));
        let interval = &report["interval95"];
        assert!(interval[0].as_f64() < Some(expected.estimate) && interval[1].as_f64() > Some(expected.estimate));
    }
    assert!(stdout(&["pi", "-n", "1e7", "--seed", "7"]).starts_with(&format!("π ≈ {}\n", expected.estimate)));
}

#[test]
fn counts_that_are_none_are_refused() {
    for (samples, word) in [("1.5", "whole"), ("-3", "negative"), ("0", "zero"), ("1e30", "more than"), ("many", "not a number")]
    {
        let text = error(2, &["pi", "--samples", samples]);
        assert!(text.contains(word) && text.contains("1e9"), "{text}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_prints_what_it_has() {
    use nix::sys::signal::{Signal, kill};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    for json in [false, true] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unisono"));
        command.args(["pi", "--samples", "1e16", "--device", "cpu"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        if json {
            command.arg("--json");
        }
        let child = command.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        // Twice, as `timeout -s INT` does.
        for _ in 0..2 {
            kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        if json {
            let report: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(report["interrupted"], Value::Bool(true));
            let (samples, hits) = (report["samples"].as_u64().unwrap(), report["hits"].as_u64().unwrap());
            assert!(samples > 1_000_000 && samples < 10_000_000_000_000_000);
            assert_eq!(unisono::Pi::from_counts(hits, samples).estimate, report["estimate"].as_f64().unwrap());
        } else {
            assert!(text.starts_with("interrupted after ") && text.contains("\nπ ≈ 3.14"), "{text}");
        }
    }
}

#[test]
fn compare_finds_the_answers_identical_and_draws_them() {
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report");
    let args = ["compare", "--quick", "--device", "cpu,cpu:1+cpu:1", "--report", report.to_str().unwrap()];
    let text = stdout(&args);
    assert!(text.contains("Quick: small sizes") && text.contains("\n✓ Every answer"), "{text}");
    let value: Value = serde_json::from_str(&std::fs::read_to_string(report.join("report.json")).unwrap()).unwrap();
    assert_eq!((&value["ok"], &value["quick"]), (&Value::Bool(true), &Value::Bool(true)));
    let workloads = value["workloads"].as_array().unwrap();
    assert_eq!(workloads.len(), 5);
    for workload in workloads {
        let rows = workload["rows"].as_array().unwrap();
        let devices: Vec<_> = rows.iter().map(|row| row["device"].as_str().unwrap()).collect();
        assert_eq!(devices, ["cpu:1", "cpu", "cpu:1+cpu:1"]);
        for row in rows {
            assert!(row["failure"].is_null() && row["seconds"].as_f64() > Some(0.0), "{row}");
            assert!(row["error_over_bound"].as_f64() <= Some(1.0), "{row}");
            if workload["promised_identical"] == Value::Bool(true) {
                assert_eq!(row["checksum"], rows[0]["checksum"]);
            }
        }
    }
    assert!(std::fs::read_to_string(report.join("chart.svg")).unwrap().contains("one CPU thread"));
    let chart = image::open(report.join("chart.png")).unwrap().into_rgb8();
    assert!(chart.width() > 1000 && chart.pixels().any(|pixel| pixel.0[2] > pixel.0[0].saturating_add(100)));
}

#[test]
fn compare_goes_on_past_a_device_that_fails() {
    let output = unisono(&["compare", "--quick", "--device", "gpu:99", "--json"]).assert().code(1).get_output().clone();
    assert_eq!(output.stdout.iter().filter(|&&byte| byte == b'\n').count(), 1);
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["ok"], Value::Bool(false));
    for workload in value["workloads"].as_array().unwrap() {
        assert!(workload["rows"][0]["failure"].is_null());
        assert!(workload["rows"][1]["failure"].as_str().is_some_and(|text| text.contains("gpu:99")));
    }
}

#[test]
fn compare_refuses_a_device_of_no_kind() {
    assert!(error(2, &["compare", "--quick", "--device", "nope"]).contains("\"nope\""));
}

/// An error that nobody can be told is still an exit code, and stops nothing else.
#[cfg(target_os = "linux")]
#[test]
fn a_full_standard_error_changes_nothing() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in"), folder.path().join("out"));
    std::fs::create_dir(&input).unwrap();
    for name in ["a.png", "z.png"] {
        std::fs::copy(common::data("camera.png"), input.join(name)).unwrap();
    }
    std::fs::write(input.join("broken.png"), b"this is no picture").unwrap();
    let run = |args: &[&str]| {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_unisono"));
        command.args(args).env("UNISONO_DEVICE", "cpu").env("UNISONO_SIMD", "none such");
        command.stdout(Stdio::null()).stderr(full).status().unwrap().code()
    };
    assert_eq!(run(&["reduce", "no such file", "--op", "sum"]), Some(1));
    assert_eq!(run(&["pi", "-n", "1e5"]), Some(0));
    assert_eq!(run(&["convolve", arg(&input), "-o", arg(&output), "-k", "sharpen", "--explain"]), Some(1));
    assert!(output.join("a.png").is_file() && output.join("z.png").is_file());
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    use std::process::{Command, Stdio};
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("many.npy");
    ndarray_npy::write_npy(&file, &ndarray::Array2::<f64>::ones((300_000, 1))).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_unisono"));
    command.arg("reduce").arg(&file).args(["--op", "sum", "--axis", "1", "--device", "cpu"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

#[test]
fn pi_has_methods() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pi.state");
    let report = json(&["pi", "-m", "sobol", "-n", "2e5", "--seed", "7", "--checkpoint", arg(&file)]);
    let how = unisono::MonteCarlo::pi().method(unisono::PiMethod::Sobol).seed(7);
    let expected = unisono::Backend::cpu().monte_carlo(&how, 0..200_000).unwrap();
    assert_eq!((report["hits"].as_u64(), report["bits"].as_u64()), (Some(expected.hits), Some(32)));
    assert_eq!(
        (report["method"].as_str(), report["equivalent_samples"].as_f64()),
        (Some("sobol"), Some(expected.equivalent_samples()))
    );
    let text = stdout(&["pi", "--method", "reflected", "--bits", "32", "-n", "1000"]);
    assert!(
        text.contains("of 4,000 points") && text.contains("1,000, reflected, 32 bits") && text.contains("plain samples"),
        "{text}"
    );
    assert!(error(2, &["pi", "--method", "magic"]).contains("antithetic"));
    assert!(error(2, &["pi", "--bits", "8", "-n", "1"]).contains("16 or 32"));
    let other = error(2, &["pi", "-n", "1e6", "--seed", "7", "--checkpoint", arg(&file)]);
    assert!(other.contains("sobol, 32 bits, seed 7"), "{other}");
}

#[test]
fn a_run_goes_on_from_its_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pi.state");
    let first = json(&["pi", "-n", "3e6", "--seed", "7", "--checkpoint", arg(&file)]);
    assert_eq!((first["samples"].as_u64(), first["resumed"].as_u64()), (Some(3_000_000), Some(0)));
    let second = json(&["pi", "-n", "1e7", "--seed", "7", "--checkpoint", arg(&file), "--device", "cpu:1"]);
    let expected = unisono::Backend::cpu().pi(10_000_000, 7).unwrap();
    assert_eq!((second["hits"].as_u64(), second["resumed"].as_u64()), (Some(expected.hits), Some(3_000_000)));
    let other = error(2, &["pi", "-n", "1e7", "--seed", "8", "--checkpoint", arg(&file)]);
    assert!(other.contains("pi.state") && other.contains("seed 7"), "{other}");
    std::fs::write(&file, "nothing of the kind").unwrap();
    assert!(error(1, &["pi", "-n", "1", "--checkpoint", arg(&file)]).contains("pi.state"));
}

/// Killed without a chance to clean up, the run loses what came after the last write, and no more.
#[cfg(unix)]
#[test]
fn a_killed_run_goes_on_from_its_checkpoint() {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};
    use unisono::MonteCarloState;

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pi.state");
    let mut child = Command::new(env!("CARGO_BIN_EXE_unisono"))
        .args(["pi", "-n", "1e13", "--device", "cpu", "--checkpoint", arg(&file), "--checkpoint-every", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while MonteCarloState::load(&file).map_or(0, |state| state.samples()) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing was saved");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let saved = MonteCarloState::load(&file).unwrap();
    assert_eq!(saved.estimate(), unisono::Backend::cpu().pi(saved.samples(), 0).unwrap());
    let more = saved.samples() + 1_000_003;
    let report = json(&["pi", "-n", &more.to_string(), "--checkpoint", arg(&file)]);
    assert_eq!((report["resumed"].as_u64(), report["samples"].as_u64()), (Some(saved.samples()), Some(more)));
    assert_eq!(report["hits"].as_u64(), Some(unisono::Backend::cpu().pi(more, 0).unwrap().hits));
}
