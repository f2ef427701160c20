//! From the eleven dtypes, known at run time, to Rust's types.

use serde_json::Value;
use unisono::HostVec;

/// Runs `$body` with `$T` bound to the Rust type of a real dtype (the command reads no complex ones).
macro_rules! with_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            unisono::Dtype::Bool => {
                type $T = bool;
                $body
            }
            unisono::Dtype::U8 => {
                type $T = u8;
                $body
            }
            unisono::Dtype::I8 => {
                type $T = i8;
                $body
            }
            unisono::Dtype::U16 => {
                type $T = u16;
                $body
            }
            unisono::Dtype::I16 => {
                type $T = i16;
                $body
            }
            unisono::Dtype::U32 => {
                type $T = u32;
                $body
            }
            unisono::Dtype::I32 => {
                type $T = i32;
                $body
            }
            unisono::Dtype::U64 => {
                type $T = u64;
                $body
            }
            unisono::Dtype::I64 => {
                type $T = i64;
                $body
            }
            unisono::Dtype::F32 | unisono::Dtype::C64 => {
                type $T = f32;
                $body
            }
            unisono::Dtype::F64 | unisono::Dtype::C128 => {
                type $T = f64;
                $body
            }
        }
    };
}
pub(crate) use with_dtype;

/// Runs `$body` with `$vec` bound to the typed vector inside.
macro_rules! with_vec {
    ($host:expr, $vec:ident => $body:expr) => {
        match $host {
            unisono::HostVec::Bool($vec) => $body,
            unisono::HostVec::U8($vec) => $body,
            unisono::HostVec::I8($vec) => $body,
            unisono::HostVec::U16($vec) => $body,
            unisono::HostVec::I16($vec) => $body,
            unisono::HostVec::U32($vec) => $body,
            unisono::HostVec::I32($vec) => $body,
            unisono::HostVec::U64($vec) => $body,
            unisono::HostVec::I64($vec) => $body,
            unisono::HostVec::F32($vec) => $body,
            unisono::HostVec::F64($vec) => $body,
            // The command reads and makes real values only.
            unisono::HostVec::C64(_) | unisono::HostVec::C128(_) => {
                let $vec = &mut Vec::<f64>::new();
                $body
            }
        }
    };
}
pub(crate) use with_vec;

/// Runs `$body` with `$a` and `$b` bound to the typed vectors inside, if both are of one dtype.
macro_rules! with_pair {
    ($pair:expr, $a:ident, $b:ident => $body:expr, else $other:expr) => {
        match $pair {
            (unisono::HostVec::Bool($a), unisono::HostVec::Bool($b)) => $body,
            (unisono::HostVec::U8($a), unisono::HostVec::U8($b)) => $body,
            (unisono::HostVec::I8($a), unisono::HostVec::I8($b)) => $body,
            (unisono::HostVec::U16($a), unisono::HostVec::U16($b)) => $body,
            (unisono::HostVec::I16($a), unisono::HostVec::I16($b)) => $body,
            (unisono::HostVec::U32($a), unisono::HostVec::U32($b)) => $body,
            (unisono::HostVec::I32($a), unisono::HostVec::I32($b)) => $body,
            (unisono::HostVec::U64($a), unisono::HostVec::U64($b)) => $body,
            (unisono::HostVec::I64($a), unisono::HostVec::I64($b)) => $body,
            (unisono::HostVec::F32($a), unisono::HostVec::F32($b)) => $body,
            (unisono::HostVec::F64($a), unisono::HostVec::F64($b)) => $body,
            _ => $other,
        }
    };
}
pub(crate) use with_pair;

/// An element as text that gives the same bits back, NaN and infinities in NumPy's words, and as JSON, where those are
/// strings.
pub trait Show: Copy {
    /// The text.
    fn text(self) -> String;
    /// The JSON value.
    fn json(self) -> Value;
}

macro_rules! show {
    (exact $($T:ty)*) => {$(impl Show for $T {
        fn text(self) -> String { self.to_string() }
        fn json(self) -> Value { Value::from(self) }
    })*};
    (float $($T:ty)*) => {$(impl Show for $T {
        fn text(self) -> String {
            if self.is_nan() { "nan".into() } else { format!("{self:?}") }
        }
        fn json(self) -> Value {
            // Through the shortest text, so that a float32 keeps its few digits in JSON.
            match self.text().parse::<f64>() {
                Ok(value) if self.is_finite() => Value::from(value),
                _ => Value::from(self.text()),
            }
        }
    })*};
}
show!(exact u8 i8 u16 i16 u32 i32 u64 i64);
show!(float f32 f64);

impl Show for bool {
    fn text(self) -> String {
        self.to_string()
    }
    fn json(self) -> Value {
        Value::from(self)
    }
}

/// The elements as nested brackets, one row of the last axis per line; a scalar as it is.
pub fn nested_text(values: &HostVec, shape: &[usize]) -> String {
    let texts: Vec<String> = with_vec!(values, vec => vec.iter().map(|&x| x.text()).collect());
    let width = texts.iter().map(String::len).max().unwrap_or(0);
    fn write(out: &mut String, texts: &[String], shape: &[usize], width: usize, depth: usize) {
        let [first, rest @ ..] = shape else {
            *out += texts.first().map_or("", String::as_str);
            return;
        };
        out.push('[');
        let step = rest.iter().product::<usize>();
        for i in 0..*first {
            if i > 0 && rest.is_empty() {
                *out += ", ";
            } else if i > 0 {
                *out += &format!(",\n{}", " ".repeat(depth + 1));
            }
            if rest.is_empty() {
                *out += &format!("{:>width$}", texts.get(i).map_or("", String::as_str));
            } else {
                write(out, texts.get(i * step..(i + 1) * step).unwrap_or(&[]), rest, width, depth + 1);
            }
        }
        out.push(']');
    }
    let mut out = String::new();
    write(&mut out, &texts, shape, width, 0);
    out
}

/// The elements as nested JSON lists; a scalar as it is.
pub fn nested_json(values: &HostVec, shape: &[usize]) -> Value {
    fn build(values: &[Value], shape: &[usize]) -> Value {
        let [first, rest @ ..] = shape else {
            return values.first().cloned().unwrap_or(Value::Null);
        };
        let step = rest.iter().product::<usize>();
        (0..*first).map(|i| build(values.get(i * step..(i + 1) * step).unwrap_or(&[]), rest)).collect()
    }
    let values: Vec<Value> = with_vec!(values, vec => vec.iter().map(|&x| x.json()).collect());
    build(&values, shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_shown_to_the_last_bit() {
        assert_eq!((0.1f32.text(), 0.1f32.json().to_string()), ("0.1".into(), "0.1".into()));
        assert_eq!((1e300.text(), (-0.0f64).text(), f64::NAN.text()), ("1e300".into(), "-0.0".into(), "nan".into()));
        assert_eq!((f64::INFINITY.json(), f32::NEG_INFINITY.json()), (Value::from("inf"), Value::from("-inf")));
        assert_eq!(u64::MAX.json().to_string(), "18446744073709551615");
        let bits = f64::from_bits(0x3fb9_9999_9999_999b);
        assert_eq!(bits.text().parse::<f64>().map(f64::to_bits), Ok(bits.to_bits()));
    }

    #[test]
    fn shapes_nest() {
        let values = HostVec::I16(vec![1, -2, 3, 40, 5, 6]);
        assert_eq!(nested_text(&values, &[2, 3]), "[[ 1, -2,  3],\n [40,  5,  6]]");
        assert_eq!(nested_json(&values, &[3, 2]).to_string(), "[[1,-2],[3,40],[5,6]]");
        assert_eq!(nested_text(&HostVec::U8(vec![]), &[2, 0]), "[[],\n []]");
        assert_eq!(nested_text(&HostVec::Bool(vec![true]), &[]), "true");
        assert_eq!(nested_json(&HostVec::F64(vec![f64::NAN]), &[1, 1]).to_string(), "[[\"nan\"]]");
    }
}
