//! From the eleven dtypes, known at run time, to Rust's types.

use std::fmt::{Display, Formatter};

use serde::{Serialize, Serializer};
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
    fn json<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error>;
}

macro_rules! show {
    (exact $($T:ty)*) => {$(impl Show for $T {
        fn text(self) -> String { self.to_string() }
        fn json<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> { self.serialize(serializer) }
    })*};
    (float $($T:ty)*) => {$(impl Show for $T {
        fn text(self) -> String {
            if self.is_nan() { "nan".into() } else { format!("{self:?}") }
        }
        fn json<S: Serializer>(self, serializer: S) -> Result<S::Ok, S::Error> {
            if self.is_finite() { self.serialize(serializer) } else { self.text().serialize(serializer) }
        }
    })*};
}
show!(exact bool u8 i8 u16 i16 u32 i32 u64 i64);
show!(float f32 f64);

/// An array to be printed, element by element: as text in nested brackets, one row of the last axis per line, and as nested
/// lists of JSON; a scalar as it is.
#[derive(Debug, Clone, Copy)]
pub struct Nested<'a>(pub &'a HostVec, pub &'a [usize]);

impl Display for Nested<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        with_vec!(self.0, vec => {
            let width = vec.iter().map(|&x| x.text().len()).max().unwrap_or(0);
            Rows(vec, self.1).write(f, width, 0)
        })
    }
}

impl Serialize for Nested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        with_vec!(self.0, vec => Rows(vec, self.1).serialize(serializer))
    }
}

/// Elements and the shape they have.
struct Rows<'a, T>(&'a [T], &'a [usize]);

impl<'a, T: Show> Rows<'a, T> {
    /// What lies along the first axis; none of a scalar.
    fn split(&self) -> Option<impl Iterator<Item = Rows<'a, T>> + use<'a, T>> {
        let &Self(values, shape) = self;
        let (&first, rest) = shape.split_first()?;
        let step = rest.iter().product::<usize>();
        Some((0..first).map(move |i| Rows(values.get(i * step..(i + 1) * step).unwrap_or(&[]), rest)))
    }

    fn write(&self, f: &mut Formatter<'_>, width: usize, depth: usize) -> std::fmt::Result {
        let Some(parts) = self.split() else {
            let text = self.0.first().map_or(String::new(), |x| x.text());
            return if depth == 0 { f.write_str(&text) } else { write!(f, "{text:>width$}") };
        };
        f.write_str("[")?;
        for (i, part) in parts.enumerate() {
            match (i, part.1) {
                (0, _) => {}
                (_, []) => f.write_str(", ")?,
                _ => write!(f, ",\n{:indent$}", "", indent = depth + 1)?,
            }
            part.write(f, width, depth + 1)?;
        }
        f.write_str("]")
    }
}

impl<T: Show> Serialize for Rows<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.split(), self.0.first()) {
            (Some(parts), _) => serializer.collect_seq(parts),
            (None, Some(&x)) => x.json(serializer),
            (None, None) => serializer.serialize_none(),
        }
    }
}

/// A line of text for every element: what it is called, a tab, the element.
pub struct Lines<'a, N>(pub N, pub &'a HostVec);

impl<N: Fn(usize) -> L, L: Display> Display for Lines<'_, N> {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        with_vec!(self.1, vec => vec.iter().enumerate().try_for_each(|(i, &x)| writeln!(f, "{}\t{}", self.0(i), x.text())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The JSON of one element.
    fn json(value: HostVec) -> String {
        serde_json::to_string(&Nested(&value, &[])).unwrap()
    }

    #[test]
    fn elements_are_shown_to_the_last_bit() {
        assert_eq!((0.1f32.text(), json(HostVec::F32(vec![0.1]))), ("0.1".into(), "0.1".into()));
        assert_eq!((1e300.text(), (-0.0f64).text(), f64::NAN.text()), ("1e300".into(), "-0.0".into(), "nan".into()));
        assert_eq!(json(HostVec::F64(vec![f64::INFINITY])), "\"inf\"");
        assert_eq!(json(HostVec::F32(vec![f32::NEG_INFINITY])), "\"-inf\"");
        assert_eq!(json(HostVec::U64(vec![u64::MAX])), "18446744073709551615");
        let bits = f64::from_bits(0x3fb9_9999_9999_999b);
        assert_eq!(bits.text().parse::<f64>().map(f64::to_bits), Ok(bits.to_bits()));
    }

    #[test]
    fn shapes_nest() {
        let values = HostVec::I16(vec![1, -2, 3, 40, 5, 6]);
        assert_eq!(Nested(&values, &[2, 3]).to_string(), "[[ 1, -2,  3],\n [40,  5,  6]]");
        assert_eq!(serde_json::to_string(&Nested(&values, &[3, 2])).unwrap(), "[[1,-2],[3,40],[5,6]]");
        assert_eq!(Nested(&HostVec::U8(vec![]), &[2, 0]).to_string(), "[[],\n []]");
        assert_eq!(Nested(&HostVec::Bool(vec![true]), &[]).to_string(), "true");
        assert_eq!(serde_json::to_string(&Nested(&HostVec::F64(vec![f64::NAN]), &[1, 1])).unwrap(), "[[\"nan\"]]");
        assert_eq!(Lines(|i| 10 * i, &HostVec::F32(vec![1.0, 0.5])).to_string(), "0\t1.0\n10\t0.5\n");
    }
}
