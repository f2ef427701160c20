//! `unisono map` and `unisono integrate`.

mod common;

use common::{arg, error, json, stdout};

#[test]
fn arrays_are_mapped_and_reduced() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b, out) = (folder.path().join("a.npy"), folder.path().join("b.npy"), folder.path().join("out.npy"));
    ndarray_npy::write_npy(&a, &ndarray::array![[1.0f64, 2.0, 3.0], [4.0, 5.0, 6.0]]).unwrap();
    ndarray_npy::write_npy(&b, &ndarray::array![1.0f64, 0.0, -1.0]).unwrap();
    let (a, b) = (format!("a={}", arg(&a)), format!("b={}", arg(&b)));
    assert_eq!(stdout(&["map", "s*(a - b)**2", &a, &b, "--param", "s=0.5", "--reduce", "sum"]), "51.5\n");
    assert_eq!(stdout(&["map", "a > b*4", &a, &b, "--reduce", "count_nonzero"]), "4\n");
    stdout(&["map", "-a + b", &a, &b, "-o", arg(&out), "--dtype", "float32"]);
    let result: ndarray::Array2<f32> = ndarray_npy::read_npy(&out).unwrap();
    assert_eq!(result, ndarray::array![[0.0, -2.0, -4.0], [-3.0, -5.0, -7.0]]);
    assert_eq!(json(&["map", "2*b", &b])["value"], serde_json::json!([2.0, 0.0, -2.0]));
    assert_eq!(json(&["map", "a - b", &a, &b, "--reduce", "max"])["value"], serde_json::json!(7.0));
    assert_eq!(json(&["map", "b/abs(b)", &b])["value"], serde_json::json!([1.0, "nan", -1.0]));
    assert_eq!(json(&["map", "1/b", &b, "-o", arg(&out)])["value"], serde_json::Value::Null);
    assert_eq!(stdout(&["map", "a*b", &a, &b]), "[[ 1.0,  0.0, -3.0],\n [ 4.0,  0.0, -6.0]]\n");
    assert_eq!(stdout(&["map", "b/abs(b)", &b]), "[ 1.0,  nan, -1.0]\n");
    let twice = ["--param", "k=3", "--param", "k=4"];
    assert!(error(2, &[&["map", "k*a", &a], &twice[..]].concat()).contains("`k` twice"));
    assert!(error(2, &[&["integrate", "k*x", "x=0:1"], &twice[..]].concat()).contains("`k` twice"));
    assert!(error(2, &["map", "a + ", &a]).contains("column 5"));
    assert!(error(2, &["map", "a + c", &a]).contains("`c`"));
}

#[test]
fn integrals_say_their_error() {
    let report = json(&["integrate", "x*x + y*y <= r*r", "x=-1:1", "y=-1:1", "--param", "r=1", "-n", "1e6"]);
    let (estimate, error_) = (report["estimate"].as_f64().unwrap(), report["standard_error"].as_f64().unwrap());
    assert!((estimate - std::f64::consts::PI).abs() < 5.0 * error_ && (1.5e-3..1.8e-3).contains(&error_), "{report}");
    assert!(stdout(&["integrate", "exp(x)", "x=0:1", "-n", "1e5", "--dtype", "float64"]).starts_with("∫ ≈ 1.7"));
    let report = json(&["integrate", "x", "x=0:1", "-n", "1e7", "--relative-error", "1e-3"]);
    assert!(report["samples"].as_u64().unwrap() < 1_000_000 && report["converged"] == true, "{report}");
    assert!(error(2, &["integrate", "x", "x=0:oops"]).contains("oops"));
}

#[test]
fn an_integral_goes_on_from_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("integral.state");
    let run = |samples: &str, method: &str, more: &[&str]| {
        let given = ["integrate", "exp(-s*x*x)", "x=0:1", "--param", "s=4", "-n", samples, "--method", method];
        json(&[&given[..], more].concat())
    };
    let kept = ["--checkpoint", arg(&file)];
    for method in ["plain", "vegas", "sobol"] {
        run("131072", method, &kept);
        let whole = run("262144", method, &kept);
        let once = run("262144", method, &[]);
        for key in ["estimate", "standard_error", "samples", "chi2_per_dof"] {
            assert_eq!(whole[key], once[key], "{whole} {once}");
        }
        assert_eq!((&whole["resumed"], &once["resumed"]), (&131_072.into(), &0.into()));
        let other = ["integrate", "exp(-x)", "x=0:1", "--checkpoint", arg(&file)];
        assert!(error(2, &other).contains("exp(-s*x*x)"));
        std::fs::remove_file(&file).unwrap();
    }
    let text = stdout(&["integrate", "exp(-s*x*x)", "x=0:1", "--param", "s=4", "-n", "262144", "--method", "vegas"]);
    assert!(text.contains("χ² per dof"), "{text}");
    assert!(error(2, &["integrate", "x", "x=0:1", "--method", "magic"]).contains("plain, vegas, sobol"));
}

#[test]
fn integrands_in_wgsl_are_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("integrand.wgsl");
    std::fs::write(&file, "fn integrand(x: f32) -> f32 { return s * x; }").unwrap();
    let given = ["integrate", "--wgsl", arg(&file), "x=0:2", "--param", "s=3", "-n", "1e5"];
    assert!(error(2, &[&given[..], &["-d", "cpu"]].concat()).contains("GPUs"));
    let devices = json(&["devices"]);
    if devices.to_string().contains("\"gpu:0\"") {
        let report = json(&[&given[..], &["-d", "gpu:0"]].concat());
        assert!((report["estimate"].as_f64().unwrap() - 6.0).abs() < 0.1, "{report}");
    }
    assert!(error(1, &["integrate", "--wgsl", "no such file", "x=0:1"]).contains("no such file"));
}
