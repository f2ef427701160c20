//! The element types, erased (`Dtype`) and typed (`Element`).

use num_complex::Complex;

use crate::{Error, Result, array::HostVec};

/// The element type of an array, as NumPy names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dtype {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned 8-bit integer.
    U8,
    /// Signed 8-bit integer.
    I8,
    /// Unsigned 16-bit integer.
    U16,
    /// Signed 16-bit integer.
    I16,
    /// Unsigned 32-bit integer.
    U32,
    /// Signed 32-bit integer.
    I32,
    /// Unsigned 64-bit integer.
    U64,
    /// Signed 64-bit integer.
    I64,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// Two binary32: real and imaginary part.
    C64,
    /// Two binary64: real and imaginary part.
    C128,
}

impl Dtype {
    /// Every real dtype, narrow to wide.
    pub const ALL: [Self; 11] =
        [Self::Bool, Self::U8, Self::I8, Self::U16, Self::I16, Self::U32, Self::I32, Self::U64, Self::I64, Self::F32, Self::F64];

    /// The complex dtypes. Convolution takes them, reductions do not.
    pub const COMPLEX: [Self; 2] = [Self::C64, Self::C128];

    /// Whether this is `complex64` or `complex128`.
    pub const fn is_complex(self) -> bool {
        matches!(self, Self::C64 | Self::C128)
    }

    /// The dtype of the real and the imaginary part; a real dtype itself.
    pub const fn real(self) -> Self {
        match self {
            Self::C64 => Self::F32,
            Self::C128 => Self::F64,
            _ => self,
        }
    }

    /// Numbers per element: 2 if complex, else 1.
    pub const fn parts(self) -> usize {
        if self.is_complex() { 2 } else { 1 }
    }

    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::C64 => 8,
            Self::C128 => 16,
        }
    }

    /// NumPy's name: `bool`, `uint8`, …, `float64`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::C64 => "complex64",
            Self::C128 => "complex128",
        }
    }

    /// Whether values are rounded: `float32`, `float64` and the complex dtypes.
    pub const fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64 | Self::C64 | Self::C128)
    }

    /// Whether this is a signed integer.
    pub const fn is_signed_integer(self) -> bool {
        matches!(self, Self::I8 | Self::I16 | Self::I32 | Self::I64)
    }

    /// The smallest and the largest value of an integer dtype (bool counts as 0..=1); `None` for floats.
    pub const fn integer_range(self) -> Option<(i128, i128)> {
        let bits = 8 * self.size() as u32;
        match self {
            Self::Bool => Some((0, 1)),
            Self::F32 | Self::F64 | Self::C64 | Self::C128 => None,
            _ if self.is_signed_integer() => Some((-(1i128 << (bits - 1)), (1i128 << (bits - 1)) - 1)),
            _ => Some((0, (1i128 << bits) - 1)),
        }
    }

    /// NumPy's promotion of two dtypes (`numpy.result_type`): the narrowest dtype that holds both,
    /// `float64` for 64-bit signed with unsigned and for 32-bit or wider integers with `float32`, likewise `complex128`.
    ///
    /// ```
    /// use unisono::Dtype;
    /// assert_eq!(Dtype::U8.promote(Dtype::I8), Dtype::I16);
    /// assert_eq!(Dtype::I16.promote(Dtype::F32), Dtype::F32);
    /// assert_eq!(Dtype::U64.promote(Dtype::I64), Dtype::F64);
    /// ```
    pub const fn promote(self, other: Self) -> Self {
        use Dtype::*;
        if self.is_complex() || other.is_complex() {
            // `complex64` holds what promotes to `float32`.
            return match self.real().promote(other.real()).promote(F32) {
                F32 => C64,
                _ => C128,
            };
        }
        let (a, b) = if (self as u8) <= (other as u8) { (self, other) } else { (other, self) };
        match (a, b) {
            (Bool, _) => b,
            (_, F64) => F64,
            (U8 | I8 | U16 | I16 | F32, F32) => F32,
            (_, F32) => F64,
            (U8, I8) => I16,
            (U16, I16) | (I8, U16) => I32,
            (U32, I32) | (I8 | I16, U32) => I64,
            (U64, I64) | (I8 | I16 | I32, U64) => F64,
            // Same signedness, or unsigned below a wider signed type: the wider one holds both.
            _ => b,
        }
    }
}

impl std::fmt::Display for Dtype {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Dtype {
    type Err = Error;

    /// Reads NumPy's names and Rust's (`float32`, `f32`).
    fn from_str(text: &str) -> Result<Self> {
        let short = ["bool", "u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "c64", "c128"];
        let expected = "one of bool, uint8 … int64, float32, float64, complex64, complex128";
        (Self::ALL.into_iter().chain(Self::COMPLEX).zip(short))
            .find_map(|(dtype, short)| (text == dtype.name() || text == short).then_some(dtype))
            .ok_or_else(|| Error::invalid("dtype", format!("{text:?}"), expected))
    }
}

/// A Rust type that unisono computes with. Sealed: the types of [`Dtype`], among them `num_complex::Complex<f32>` and `<f64>`.
pub trait Element: bytemuck::NoUninit + PartialEq + std::fmt::Debug + Send + Sync + private::Host {
    /// The erased name of this type.
    const DTYPE: Dtype;
}

/// An [`Element`] that is real, so that it can be ordered and reduced: the eleven types of [`Dtype::ALL`].
pub trait Real: Element + PartialOrd + crate::plan::Ordered {
    /// What sums and products are returned as: `i64` or `u64` for integers, itself for floats.
    type Sum: Real;
    /// What means are returned as: `f64` for integers, itself for floats.
    type Mean: Real;
}

/// Sealing, and the way between `Vec<T>` and the erased host buffer.
pub(crate) mod private {
    use super::HostVec;

    /// See [`super::private`].
    pub trait Host: Sized {
        const ZERO: Self;
        fn into_host(vec: Vec<Self>) -> HostVec;
        fn from_host(vec: HostVec) -> Result<Vec<Self>, HostVec>;
    }
}

macro_rules! elements {
    ($($type:ty => $variant:ident $zero:expr $(, $sum:ty, $mean:ty)?;)*) => {$(
        impl Element for $type {
            const DTYPE: Dtype = Dtype::$variant;
        }
        $(impl Real for $type {
            type Sum = $sum;
            type Mean = $mean;
        })?
        impl private::Host for $type {
            const ZERO: Self = $zero;
            fn into_host(vec: Vec<Self>) -> HostVec {
                HostVec::$variant(vec)
            }
            fn from_host(vec: HostVec) -> Result<Vec<Self>, HostVec> {
                match vec {
                    HostVec::$variant(vec) => Ok(vec),
                    other => Err(other),
                }
            }
        }
    )*};
}
elements! {
    bool => Bool false, u64, f64;
    u8 => U8 0, u64, f64;
    i8 => I8 0, i64, f64;
    u16 => U16 0, u64, f64;
    i16 => I16 0, i64, f64;
    u32 => U32 0, u64, f64;
    i32 => I32 0, i64, f64;
    u64 => U64 0, u64, f64;
    i64 => I64 0, i64, f64;
    f32 => F32 0.0, f32, f32;
    f64 => F64 0.0, f64, f64;
    Complex<f32> => C64 Complex::new(0.0, 0.0);
    Complex<f64> => C128 Complex::new(0.0, 0.0);
}

/// NumPy's promotion at the type level: what `convolve` of `Self` with `K` returns. Agrees with [`Dtype::promote`].
pub trait Promote<K: Element>: Element {
    /// The promoted type.
    type Output: Element;
}

macro_rules! promotions {
    ($($a:ty: $($b:ty => $out:ty),*;)*) => {$($(
        impl Promote<$b> for $a { type Output = $out; }
    )*)*};
}
promotions! {
    bool: bool=>bool, u8=>u8, i8=>i8, u16=>u16, i16=>i16, u32=>u32, i32=>i32, u64=>u64, i64=>i64, f32=>f32, f64=>f64;
    u8: bool=>u8, u8=>u8, i8=>i16, u16=>u16, i16=>i16, u32=>u32, i32=>i32, u64=>u64, i64=>i64, f32=>f32, f64=>f64;
    i8: bool=>i8, u8=>i16, i8=>i8, u16=>i32, i16=>i16, u32=>i64, i32=>i32, u64=>f64, i64=>i64, f32=>f32, f64=>f64;
    u16: bool=>u16, u8=>u16, i8=>i32, u16=>u16, i16=>i32, u32=>u32, i32=>i32, u64=>u64, i64=>i64, f32=>f32, f64=>f64;
    i16: bool=>i16, u8=>i16, i8=>i16, u16=>i32, i16=>i16, u32=>i64, i32=>i32, u64=>f64, i64=>i64, f32=>f32, f64=>f64;
    u32: bool=>u32, u8=>u32, i8=>i64, u16=>u32, i16=>i64, u32=>u32, i32=>i64, u64=>u64, i64=>i64, f32=>f64, f64=>f64;
    i32: bool=>i32, u8=>i32, i8=>i32, u16=>i32, i16=>i32, u32=>i64, i32=>i32, u64=>f64, i64=>i64, f32=>f64, f64=>f64;
    u64: bool=>u64, u8=>u64, i8=>f64, u16=>u64, i16=>f64, u32=>u64, i32=>f64, u64=>u64, i64=>f64, f32=>f64, f64=>f64;
    i64: bool=>i64, u8=>i64, i8=>i64, u16=>i64, i16=>i64, u32=>i64, i32=>i64, u64=>f64, i64=>i64, f32=>f64, f64=>f64;
    f32: bool=>f32, u8=>f32, i8=>f32, u16=>f32, i16=>f32, u32=>f64, i32=>f64, u64=>f64, i64=>f64, f32=>f32, f64=>f64;
    f64: bool=>f64, u8=>f64, i8=>f64, u16=>f64, i16=>f64, u32=>f64, i32=>f64, u64=>f64, i64=>f64, f32=>f64, f64=>f64;
}

macro_rules! complex_promotions {
    ($($part:ty: $($real:ty)*;)*) => {$(
        impl Promote<Complex<$part>> for Complex<$part> { type Output = Complex<$part>; }
        complex_promotions!(@ $part: $($real)*);
    )*};
    (@ $part:ty: $($real:ty)*) => {$(
        impl Promote<$real> for Complex<$part> { type Output = Complex<$part>; }
        impl Promote<Complex<$part>> for $real { type Output = Complex<$part>; }
    )*};
}
/// `complex64` with what needs binary64.
macro_rules! wide_complex_promotions {
    ($($real:ty)*) => {$(
        impl Promote<$real> for Complex<f32> { type Output = Complex<f64>; }
        impl Promote<Complex<f32>> for $real { type Output = Complex<f64>; }
    )*};
}
complex_promotions! {
    f32: bool u8 i8 u16 i16 f32;
    f64: bool u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 Complex<f32>;
}
wide_complex_promotions! { u32 i32 u64 i64 f64 }

/// Runs `$body` with the type alias `$T` bound to the Rust type of a [`Dtype`], complex ones included.
macro_rules! with_element {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::Dtype::C64 => {
                type $T = num_complex::Complex<f32>;
                $body
            }
            $crate::Dtype::C128 => {
                type $T = num_complex::Complex<f64>;
                $body
            }
            real => $crate::dtype::with_dtype!(real, $T => $body),
        }
    };
}
pub(crate) use with_element;

/// Runs `$body` with the type alias `$T` bound to the Rust type of a [`Dtype`], of a complex one to that of its parts: the
/// one dtype match of an engine.
macro_rules! with_dtype {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            $crate::Dtype::Bool => {
                type $T = bool;
                $body
            }
            $crate::Dtype::U8 => {
                type $T = u8;
                $body
            }
            $crate::Dtype::I8 => {
                type $T = i8;
                $body
            }
            $crate::Dtype::U16 => {
                type $T = u16;
                $body
            }
            $crate::Dtype::I16 => {
                type $T = i16;
                $body
            }
            $crate::Dtype::U32 => {
                type $T = u32;
                $body
            }
            $crate::Dtype::I32 => {
                type $T = i32;
                $body
            }
            $crate::Dtype::U64 => {
                type $T = u64;
                $body
            }
            $crate::Dtype::I64 => {
                type $T = i64;
                $body
            }
            $crate::Dtype::F32 | $crate::Dtype::C64 => {
                type $T = f32;
                $body
            }
            $crate::Dtype::F64 | $crate::Dtype::C128 => {
                type $T = f64;
                $body
            }
        }
    };
}
pub(crate) use with_dtype;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complex_promotion_is_numpys() {
        for (a, b, expected) in [
            (Dtype::C64, Dtype::I16, Dtype::C64),
            (Dtype::U16, Dtype::C64, Dtype::C64),
            (Dtype::C64, Dtype::I32, Dtype::C128),
            (Dtype::F64, Dtype::C64, Dtype::C128),
            (Dtype::Bool, Dtype::C128, Dtype::C128),
            (Dtype::C64, Dtype::C64, Dtype::C64),
            (Dtype::C64, Dtype::C128, Dtype::C128),
        ] {
            assert_eq!((a.promote(b), b.promote(a)), (expected, expected), "{a} {b}");
        }
    }

    #[test]
    fn promotion_is_symmetric_and_holds_both() {
        for a in Dtype::ALL {
            for b in Dtype::ALL {
                let p = a.promote(b);
                assert_eq!(p, b.promote(a));
                assert!(p >= a.max(b) || p.is_float(), "{a} {b} {p}");
                if let (Some((lo, hi)), Some((plo, phi))) = (a.integer_range(), p.integer_range()) {
                    assert!(plo <= lo && hi <= phi, "{a} {b} {p}");
                }
            }
        }
    }

    #[test]
    fn typed_promotion_agrees_with_the_erased_one() {
        fn check<A: Promote<B>, B: Element>() {
            assert_eq!(<A as Promote<B>>::Output::DTYPE, A::DTYPE.promote(B::DTYPE));
        }
        macro_rules! all {
            ($($a:ty),*) => { $( all!(@ $a: bool u8 i8 u16 i16 u32 i32 u64 i64 f32 f64 Complex<f32> Complex<f64>); )* };
            (@ $a:ty: $($b:ty)*) => { $( check::<$a, $b>(); )* };
        }
        all!(bool, u8, i8, u16, i16, u32, i32, u64, i64, f32, f64, Complex<f32>, Complex<f64>);
    }
}
