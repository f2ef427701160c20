//! Sizes of memory as people write them: `512MiB`, `2GB`, `1.5G`, `4096`.

/// Bytes of a text: a number, and a unit or none. `KB`, `MB` … are powers of 1000, `KiB`, `MiB` … and `K`, `M` … of 1024.
pub fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let unit_at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..unit_at], text[unit_at..].trim().to_ascii_lowercase());
    let power = |letter: &str| "kmgt".find(letter).map(|at| at as i32 + 1);
    let scale = match (unit.len(), unit.as_str()) {
        (0, _) | (1, "b") => Some(1.0),
        (1, letter) => power(letter).map(|n| 1024f64.powi(n)),
        (2, _) if unit.ends_with('b') => unit.get(..1).and_then(power).map(|n| 1000f64.powi(n)),
        (3, _) if unit.ends_with("ib") => unit.get(..1).and_then(power).map(|n| 1024f64.powi(n)),
        _ => None,
    };
    match (number.parse::<f64>(), scale) {
        (Ok(number), Some(scale)) if number * scale >= 1.0 && number * scale < 2f64.powi(63) => Ok((number * scale) as u64),
        _ => Err(format!("got {text:?}, expected a size such as 512MiB, 2GB or a number of bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let read: Vec<u64> = ["4096", "1b", "2k", "3 KiB", "4kb", "1.5GiB", "2 MB", "1T"].map(|text| bytes(text).unwrap()).into();
        assert_eq!(read, [4096, 1, 2048, 3072, 4000, 3 << 29, 2_000_000, 1 << 40]);
        for text in ["", "MiB", "1 XB", "-3", "0", "1e9", "2 KiBs", "9999999999TiB", "1é"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
