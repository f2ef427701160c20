//! Writing results, and numbers as people read them.

use std::fmt::Display;
use std::io::{BufWriter, ErrorKind, StdoutLock, Write};
use std::time::Duration;

use serde::Serialize;

use crate::failure::{Failure, Result};

/// Writes the text to standard output as it is made. A reader that went away ends the command quietly.
pub fn print(text: impl Display) -> Result<()> {
    write(|out| write!(out, "{text}"))
}

/// Writes the value as JSON to standard output, on one line.
pub fn print_json(value: &impl Serialize) -> Result<()> {
    write(|out| {
        serde_json::to_writer(&mut *out, value)?;
        out.write_all(b"\n")
    })
}

fn write(work: impl FnOnce(&mut BufWriter<StdoutLock<'_>>) -> std::io::Result<()>) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    match work(&mut out).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::PipeClosed),
        Err(error) => Err(Failure::work(format!("standard output: {error}"))),
    }
}

/// Writes a line to standard error. Where that is full or closed nobody is told, and the work goes on.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The value as indented JSON, for files.
pub fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::work(format!("JSON: {error}")))
}

/// Three significant digits with a metric prefix: `12.3 G`, `950 `, `1.50 m`.
pub fn metric(value: f64) -> String {
    let (scaled, prefix) = match value.abs() {
        v if v >= 1e12 => (value / 1e12, "T"),
        v if v >= 1e9 => (value / 1e9, "G"),
        v if v >= 1e6 => (value / 1e6, "M"),
        v if v >= 1e3 => (value / 1e3, "k"),
        v if v >= 1.0 || v == 0.0 => (value, ""),
        v if v >= 1e-3 => (value * 1e3, "m"),
        v if v >= 1e-6 => (value * 1e6, "µ"),
        _ => (value * 1e9, "n"),
    };
    format!("{} {prefix}", digits(scaled))
}

/// Three significant digits of a number up to a few thousand, without an exponent.
pub fn digits(value: f64) -> String {
    let decimals = match value.abs() {
        v if v >= 99.95 => 0,
        v if v >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// How many times as fast: `12.3×`, `0.071×`, `0.0071×`.
pub fn times(ratio: f64) -> String {
    match ratio {
        r if r >= 0.095 || r <= 0.0 => digits(r) + "×",
        r if r >= 0.0095 => format!("{r:.3}×"),
        r => format!("{r:.4}×"),
    }
}

/// A duration: `1.23 s`, `45.6 ms`, `789 µs`.
pub fn duration(time: Duration) -> String {
    metric(time.as_secs_f64()) + "s"
}

/// A count of bytes in binary units.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut value, mut unit) = (count as f64, "B");
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, next);
    }
    if value.fract() == 0.0 { format!("{value} {unit}") } else { format!("{} {unit}", digits(value)) }
}

/// A count of things: `1 file`, `2 files`.
pub fn counted(count: usize, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// An integer with its digits in groups of three.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.char_indices() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(metric(12_345_678_901.0), "12.3 G");
        assert_eq!(metric(0.0456), "45.6 m");
        assert_eq!(metric(999.96e6), "1000 M");
        assert_eq!(duration(Duration::from_micros(789)), "789 µs");
        assert_eq!([123.4, 1.0, 0.071, 0.0071].map(times), ["123×", "1.00×", "0.071×", "0.0071×"]);
        assert_eq!(bytes(128 << 20), "128 MiB");
        assert_eq!(bytes(1_500_000), "1.43 MiB");
        assert_eq!([0, 1, 2].map(|count| counted(count, "file")), ["0 files", "1 file", "2 files"]);
        assert_eq!([0, 999, 1000, 1234567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
