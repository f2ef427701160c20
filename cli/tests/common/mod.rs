//! What the tests of the command share.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// The command, on the CPU unless told otherwise.
pub fn unisono(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unisono"));
    command.args(args).env("UNISONO_DEVICE", "cpu").timeout(std::time::Duration::from_secs(120));
    command
}

/// Standard output of a run that succeeds.
pub fn stdout(args: &[&str]) -> String {
    let output = unisono(args).assert().success().get_output().stdout.clone();
    String::from_utf8(output).unwrap()
}

/// The JSON of a run that succeeds.
pub fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(&[args, &["--json"]].concat())).unwrap()
}

/// Standard error of a run that ends with this code; one line that begins as errors do.
pub fn error(code: i32, args: &[&str]) -> String {
    let output = unisono(args).assert().code(code).get_output().stderr.clone();
    let text = String::from_utf8(output).unwrap();
    assert!(text.starts_with("error: "), "{text}");
    text
}

/// A file of the repository.
pub fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(name)
}

/// The first bytes of a .npy file.
pub fn npy_header(descr: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{text:<117}\n").bytes());
    bytes
}

/// A path as an argument.
pub fn arg(path: &Path) -> &str {
    path.to_str().unwrap()
}
