//! Every example runs, with small sizes. `cargo test` builds them; where they are not there, nothing is tested.

use std::path::PathBuf;
use std::process::Command;

fn run(name: &str, args: &[&str]) -> Option<String> {
    let mut path: PathBuf = std::env::current_exe().ok()?.parent()?.parent()?.join("examples").join(name);
    path.set_extension(std::env::consts::EXE_EXTENSION);
    if !path.exists() {
        eprintln!("skipped: {} is not built", path.display());
        return None;
    }
    let output = Command::new(path).args(args).output().ok()?;
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {stdout}{stderr}");
    Some(stdout.into_owned())
}

macro_rules! examples {
    ($($name:ident($($arg:literal),*): $word:literal;)*) => {$(
        #[test]
        fn $name() {
            if let Some(text) = run(stringify!($name), &[$($arg),*]) {
                assert!(text.contains($word), "{text}");
            }
        }
    )*};
}
examples! {
    devices("--device", "cpu:1"): "opened cpu:1";
    convolve_bank("--device", "cpu", "--kernels", "5", "--size", "60"): "identical to one CPU thread";
    big_sum("--device", "cpu", "--elements", "100003", "--chunk", "1000"): "the same bits";
    monte_carlo_pi("--device", "cpu:1", "--samples", "1000003"): "standard error";
    integrate("--device", "cpu:1", "--samples", "100003"): "samples/s on cpu:1";
    async_jobs("--device", "cpu", "--jobs", "3", "--samples", "100000"): "it ended after";
    random_stream("--generator", "threefry4x32-20", "--bytes", "0"): "";
    random_numbers("--device", "cpu:1", "--numbers", "100003"): "the same bits";
    two_devices("--device", "cpu:1+cpu:1", "--frames", "6"): "same bits";
}

#[test]
fn blur_folder() {
    let output = std::env::temp_dir().join(format!("unisono-examples-{}", std::process::id()));
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    let text = run("blur_folder", &[folder, "--output", &output.to_string_lossy(), "--device", "cpu", "--sigma", "1"]);
    if let Some(text) = text {
        assert!(text.contains("3 pictures in"), "{text}");
        for name in ["astronaut.png", "camera.png", "chelsea.png"] {
            let (before, after) =
                (image::image_dimensions(format!("{folder}/{name}")), image::image_dimensions(output.join(name)));
            assert_eq!(before.ok(), after.ok(), "{name}");
        }
        let _ = std::fs::remove_dir_all(&output);
    }
}
