//! Reductions: axes, dtypes, and partial results that merge exactly.

use std::cmp::Ordering;
use std::ops::Range;

use crate::array::HostVec;
use crate::dtype::{private::Host, with_dtype};
use crate::{Dtype, Error, ExactSum, Real, Result};

/// The reductions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReduceOp {
    /// The sum; of floats exact, rounded once.
    Sum,
    /// The product; of integers exact, of floats within `n · 2^-53` relative.
    Product,
    /// The smallest element; −0 before +0, NaN if there is one.
    Min,
    /// The largest element; +0 after −0, NaN if there is one.
    Max,
    /// The sum over the count, rounded once.
    Mean,
    /// The index of the first smallest element; ±0 are equal, the first NaN wins.
    ArgMin,
    /// The index of the first largest element; ±0 are equal, the first NaN wins.
    ArgMax,
    /// Whether any element is nonzero (NaN is).
    Any,
    /// Whether all elements are nonzero (NaN is).
    All,
    /// How many elements are nonzero (NaN is).
    CountNonzero,
}

impl ReduceOp {
    /// Every reduction.
    pub const ALL: [Self; 10] = [
        Self::Sum,
        Self::Product,
        Self::Min,
        Self::Max,
        Self::Mean,
        Self::ArgMin,
        Self::ArgMax,
        Self::Any,
        Self::All,
        Self::CountNonzero,
    ];

    /// NumPy's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Product => "prod",
            Self::Min => "min",
            Self::Max => "max",
            Self::Mean => "mean",
            Self::ArgMin => "argmin",
            Self::ArgMax => "argmax",
            Self::Any => "any",
            Self::All => "all",
            Self::CountNonzero => "count_nonzero",
        }
    }

    /// The dtype of the result for elements of `dtype`.
    pub const fn out_dtype(self, dtype: Dtype) -> Dtype {
        match self {
            Self::Sum | Self::Product => match dtype {
                Dtype::F32 | Dtype::F64 => dtype,
                Dtype::Bool | Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => Dtype::U64,
                _ => Dtype::I64,
            },
            Self::Min | Self::Max => dtype,
            Self::Mean => match dtype {
                Dtype::F32 => Dtype::F32,
                _ => Dtype::F64,
            },
            Self::ArgMin | Self::ArgMax | Self::CountNonzero => Dtype::U64,
            Self::Any | Self::All => Dtype::Bool,
        }
    }

    /// Whether the reduction of nothing has a value (0, 1, NaN for the mean, true, false).
    pub const fn has_identity(self) -> bool {
        !matches!(self, Self::Min | Self::Max | Self::ArgMin | Self::ArgMax)
    }
}

impl std::str::FromStr for ReduceOp {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = if text == "product" { "prod" } else { text };
        Self::ALL
            .into_iter()
            .find(|op| op.name() == text)
            .ok_or_else(|| Error::invalid("reduction", format!("{text:?}"), Self::ALL.map(Self::name).join(", ")))
    }
}

impl std::fmt::Display for ReduceOp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A unit type that names a reduction and its result's type for elements of type `T`, as [`ReduceOp::out_dtype`] does.
pub trait Reduction<T: Real>: Copy + Into<ReduceOp> {
    /// The type of the result.
    type Output: Real;
}

macro_rules! reductions {
    ($($op:ident $make:ident: $T:ident => $out:ty;)*) => {
        /// The reductions as types.
        pub mod op {$(
            #[doc = concat!("[`ReduceOp::", stringify!($op), "`](super::ReduceOp::", stringify!($op), ").")]
            #[derive(Debug, Clone, Copy)]
            pub struct $op;
        )*}
        $(
            impl From<op::$op> for ReduceOp {
                fn from(_: op::$op) -> Self {
                    Self::$op
                }
            }
            impl<$T: Real> Reduction<$T> for op::$op {
                type Output = $out;
            }
            impl Reduce<op::$op> {
                #[doc = concat!("[`ReduceOp::", stringify!($op), "`] over all axes.")]
                pub fn $make() -> Self {
                    Self::of(op::$op)
                }
            }
        )*
    };
}
reductions! {
    Sum sum: T => T::Sum;
    Product product: T => T::Sum;
    Min min: T => T;
    Max max: T => T;
    Mean mean: T => T::Mean;
    ArgMin argmin: T => u64;
    ArgMax argmax: T => u64;
    Any any: T => bool;
    All all: T => bool;
    CountNonzero count_nonzero: T => u64;
}

/// How to reduce: the operation, the axes, `keepdims`. Plain data, built by chaining.
///
/// ```
/// use unisono::Reduce;
/// let row_sums = Reduce::sum().axes(&[-1]).keepdims();
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reduce<R = ReduceOp> {
    pub(crate) op: R,
    pub(crate) axes: Option<Vec<isize>>,
    pub(crate) keepdims: bool,
}

impl<R> Reduce<R> {
    /// `op` over all axes.
    pub fn of(op: R) -> Self {
        Self { op, axes: None, keepdims: false }
    }

    /// Over these axes only; a negative axis counts from the last.
    pub fn axes(self, axes: &[isize]) -> Self {
        Self { axes: Some(axes.to_vec()), ..self }
    }

    /// Leaves the reduced axes in the result with length 1.
    pub fn keepdims(self) -> Self {
        Self { keepdims: true, ..self }
    }
}

/// One reduction, ready for an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReducePlan {
    /// The operation.
    pub op: ReduceOp,
    /// Dtype of the input.
    pub dtype: Dtype,
    /// Dtype of the result.
    pub out_dtype: Dtype,
    /// Shape of the input.
    pub input: Vec<usize>,
    /// The axes that stay, ascending.
    pub kept: Vec<usize>,
    /// The axes reduced over, ascending.
    pub reduced: Vec<usize>,
    /// Shape of the result, `keepdims` considered.
    pub shape: Vec<usize>,
}

impl ReducePlan {
    /// Checks the axes against the input's shape.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an axis out of range or named twice, and for `min`, `max`, `argmin` and `argmax` of nothing.
    pub fn new<R: Copy + Into<ReduceOp>>(how: &Reduce<R>, dtype: Dtype, input: &[usize]) -> Result<Self> {
        let (op, rank) = (how.op.into(), input.len());
        if dtype.is_complex() {
            return Err(Error::Dtype { what: op.name().into(), got: dtype, expected: "a real dtype".into() });
        }
        let mut reduced = Vec::new();
        match &how.axes {
            None => reduced.extend(0..rank),
            Some(axes) => {
                for &axis in axes {
                    let index = if axis < 0 { axis + rank as isize } else { axis };
                    if !(0..rank as isize).contains(&index) {
                        return Err(Error::invalid("axis", axis, format!("an axis of an array of rank {rank}")));
                    }
                    if reduced.contains(&(index as usize)) {
                        return Err(Error::invalid("axes", format!("{axes:?}"), "every axis once"));
                    }
                    reduced.push(index as usize);
                }
                reduced.sort_unstable();
            }
        }
        let kept: Vec<usize> = (0..rank).filter(|axis| !reduced.contains(axis)).collect();
        let shape = if how.keepdims {
            (0..rank).map(|axis| if reduced.contains(&axis) { 1 } else { input[axis] }).collect()
        } else {
            kept.iter().map(|&axis| input[axis]).collect()
        };
        let plan = Self { op, dtype, out_dtype: op.out_dtype(dtype), input: input.to_vec(), kept, reduced, shape };
        if !op.has_identity() && plan.reduce_len() == 0 && plan.out_len() > 0 {
            return Err(Error::invalid(format!("{op} of shape"), format!("{input:?}"), "at least one element to reduce"));
        }
        Ok(plan)
    }

    /// The number of results.
    pub fn out_len(&self) -> usize {
        self.kept.iter().map(|&axis| self.input[axis]).product()
    }

    /// The number of elements behind each result.
    pub fn reduce_len(&self) -> usize {
        self.reduced.iter().map(|&axis| self.input[axis]).product()
    }

    /// Elements read: the unit of progress and of cost.
    pub fn work(&self) -> u64 {
        self.input.iter().map(|&n| n as u64).product()
    }

    /// The same reduction of the part of the input in `range` along `axis`. Along a kept axis its results are a part of
    /// the results; along the first reduced axis, partials of all of them.
    pub fn narrow(&self, axis: usize, range: Range<usize>) -> Self {
        let mut part = self.clone();
        part.input[axis] = range.len();
        let at = if self.shape.len() == self.input.len() { Some(axis) } else { self.kept.iter().position(|&k| k == axis) };
        if let (Some(at), true) = (at, self.kept.contains(&axis)) {
            part.shape[at] = range.len();
        }
        part
    }

    /// What to add to the arg-reduction indices of the part that starts at `start` along the first reduced axis.
    pub fn index_offset(&self, start: usize) -> u64 {
        start as u64 * self.reduced.iter().skip(1).map(|&axis| self.input[axis] as u64).product::<u64>()
    }

    /// The partials of nothing, one per result.
    pub fn empty_partials(&self) -> Partials {
        let n = self.out_len();
        match self.op {
            ReduceOp::Sum | ReduceOp::Mean if self.dtype.is_float() => Partials::Float(vec![ExactSum::new(); n]),
            ReduceOp::Sum | ReduceOp::Mean => Partials::Integer(vec![0; n]),
            ReduceOp::Product if self.dtype.is_float() => Partials::FloatProduct(vec![FloatProduct::ONE; n]),
            ReduceOp::Product => Partials::IntegerProduct(vec![IntegerProduct::ONE; n]),
            ReduceOp::Min | ReduceOp::Max => Partials::Extreme(vec![None; n]),
            ReduceOp::ArgMin | ReduceOp::ArgMax => Partials::Arg(vec![None; n]),
            ReduceOp::Any | ReduceOp::All | ReduceOp::CountNonzero => Partials::Count(vec![0; n]),
        }
    }

    /// The results of the partials: the one rounding of an exact value.
    ///
    /// # Errors
    /// [`Error::Overflow`] if an integer result does not fit.
    pub fn finish(&self, partials: &Partials) -> Result<HostVec> {
        let (op, count) = (self.op, self.reduce_len() as u64);
        let overflow = || Error::Overflow { op: op.name(), out_dtype: self.out_dtype };
        Ok(match partials {
            Partials::Float(sums) => match (op, self.out_dtype) {
                (ReduceOp::Sum, Dtype::F32) => HostVec::F32(sums.iter().map(ExactSum::to_f32).collect()),
                (ReduceOp::Sum, _) => HostVec::F64(sums.iter().map(ExactSum::to_f64).collect()),
                (_, Dtype::F32) => HostVec::F32(sums.iter().map(|sum| sum.mean_f32(count)).collect()),
                _ => HostVec::F64(sums.iter().map(|sum| sum.mean_f64(count)).collect()),
            },
            Partials::Integer(sums) if op == ReduceOp::Mean => {
                HostVec::F64(sums.iter().map(|&sum| crate::exact::ratio_f64(sum, count)).collect())
            }
            Partials::Integer(sums) if self.out_dtype == Dtype::U64 => {
                HostVec::U64(sums.iter().map(|&s| u64::try_from(s).map_err(|_| overflow())).collect::<Result<_>>()?)
            }
            Partials::Integer(sums) => {
                HostVec::I64(sums.iter().map(|&s| i64::try_from(s).map_err(|_| overflow())).collect::<Result<_>>()?)
            }
            Partials::IntegerProduct(products) if self.out_dtype == Dtype::U64 => HostVec::U64(
                products
                    .iter()
                    .map(|p| p.value().and_then(|v| u64::try_from(v).ok()).ok_or_else(overflow))
                    .collect::<Result<_>>()?,
            ),
            Partials::IntegerProduct(products) => HostVec::I64(
                products
                    .iter()
                    .map(|p| p.value().and_then(|v| i64::try_from(v).ok()).ok_or_else(overflow))
                    .collect::<Result<_>>()?,
            ),
            Partials::FloatProduct(products) if self.out_dtype == Dtype::F32 => {
                HostVec::F32(products.iter().map(FloatProduct::to_f32).collect())
            }
            Partials::FloatProduct(products) => HostVec::F64(products.iter().map(FloatProduct::to_f64).collect()),
            Partials::Extreme(keys) => {
                with_dtype!(self.dtype, T => T::into_host(keys.iter().map(|key| T::from_key(key.unwrap_or(0))).collect()))
            }
            Partials::Arg(found) => HostVec::U64(found.iter().map(|found| found.map_or(0, |(_, index)| index)).collect()),
            Partials::Count(counts) => match op {
                ReduceOp::Any => HostVec::Bool(counts.iter().map(|&c| c > 0).collect()),
                ReduceOp::All => HostVec::Bool(counts.iter().map(|&c| c == count).collect()),
                _ => HostVec::U64(counts.clone()),
            },
        })
    }
}

/// Mergeable partial results of a reduction, one per result: exactly associative and commutative, but for
/// [`FloatProduct`], which rounds.
#[derive(Debug, Clone, PartialEq)]
pub enum Partials {
    /// Sums and means of floats.
    Float(Vec<ExactSum>),
    /// Sums and means of integers.
    Integer(Vec<i128>),
    /// Products of integers.
    IntegerProduct(Vec<IntegerProduct>),
    /// Products of floats.
    FloatProduct(Vec<FloatProduct>),
    /// The order key (an unsigned integer that grows with the value) of the smallest or largest element; `None` before the first.
    Extreme(Vec<Option<u64>>),
    /// The order key, −0 counted as 0, and the index of the first smallest or largest element.
    Arg(Vec<Option<(u64, u64)>>),
    /// The number of nonzero elements.
    Count(Vec<u64>),
}

impl Partials {
    /// Adds the partials of another part of the same input; `index_offset` is added to the indices of `other`
    /// ([`ReducePlan::index_offset`]).
    ///
    /// # Errors
    /// [`Error::Invalid`] if the two are not partials of the same reduction.
    pub fn merge(&mut self, other: &Self, op: ReduceOp, index_offset: u64) -> Result<()> {
        fn each<T, U>(a: &mut [T], b: &[U], f: impl Fn(&mut T, &U)) -> bool {
            a.len() == b.len() && a.iter_mut().zip(b).map(|(a, b)| f(a, b)).count() == b.len()
        }
        let smaller = matches!(op, ReduceOp::Min | ReduceOp::ArgMin);
        let same = match (&mut *self, other) {
            (Self::Float(a), Self::Float(b)) => each(a, b, |a, b| a.merge(b)),
            (Self::Integer(a), Self::Integer(b)) => each(a, b, |a, b| *a += b),
            (Self::IntegerProduct(a), Self::IntegerProduct(b)) => each(a, b, |a, b| a.merge(*b)),
            (Self::FloatProduct(a), Self::FloatProduct(b)) => each(a, b, |a, b| a.merge(*b)),
            (Self::Extreme(a), Self::Extreme(b)) => each(a, b, |a, b| {
                *a = match (*a, *b) {
                    (Some(x), Some(y)) => Some(if smaller { x.min(y) } else { x.max(y) }),
                    (x, y) => x.or(y),
                }
            }),
            (Self::Arg(a), Self::Arg(b)) => each(a, b, |a, b| {
                let b = b.map(|(key, index)| (key, index + index_offset));
                *a = match (*a, b) {
                    (Some(x), Some(y)) => Some(first_extreme(x, y, smaller)),
                    (x, y) => x.or(y),
                }
            }),
            (Self::Count(a), Self::Count(b)) => each(a, b, |a, b| *a += b),
            _ => false,
        };
        if same {
            Ok(())
        } else {
            Err(Error::invalid("partials", "two of different kind or length", "partials of one reduction"))
        }
    }
}

/// The better of two candidates of an arg-reduction: the more extreme key, then the smaller index.
pub(crate) fn first_extreme(x: (u64, u64), y: (u64, u64), smaller: bool) -> (u64, u64) {
    let order = if smaller { y.0.cmp(&x.0) } else { x.0.cmp(&y.0) };
    match order {
        Ordering::Greater => x,
        Ordering::Less => y,
        Ordering::Equal => (x.0, x.1.min(y.1)),
    }
}

/// The order of elements as unsigned integers, the same on every device.
pub trait Ordered: Copy {
    /// Grows with the value; for `min`, NaN is below everything, for `max` above: see `extreme_key`.
    fn key(self) -> u64;
    /// The value of a key.
    fn from_key(key: u64) -> Self;
    /// Whether this is NaN.
    fn is_nan(self) -> bool {
        false
    }

    /// The key for `min` (`smaller`) or `max`: NaN wins.
    fn extreme_key(self, smaller: bool) -> u64 {
        match (self.is_nan(), smaller) {
            (false, _) => self.key(),
            (true, true) => 0,
            (true, false) => u64::MAX,
        }
    }

    /// The key for `argmin` (`smaller`) or `argmax`: NaN wins, and −0 equals +0.
    fn arg_key(self, smaller: bool) -> u64 {
        self.extreme_key(smaller)
    }
}

macro_rules! ordered {
    (unsigned $($T:ty)*) => {$(impl Ordered for $T {
        fn key(self) -> u64 { self as u64 }
        fn from_key(key: u64) -> Self { key as $T }
    })*};
    (signed $($T:ty)*) => {$(impl Ordered for $T {
        fn key(self) -> u64 { (self as i64 as u64) ^ (1 << 63) }
        fn from_key(key: u64) -> Self { (key ^ (1 << 63)) as $T }
    })*};
    (float $($T:ident $bits:ty, $signed:ty, $shift:literal;)*) => {$(impl Ordered for $T {
        // Sign and magnitude to offset: -NaN never occurs here, NaN is taken out by `extreme_key`.
        fn key(self) -> u64 {
            let bits = self.to_bits();
            (if bits >> $shift == 1 { !bits } else { bits | (1 << $shift) }) as u64
        }
        // Keys of no number (0 and all ones, the marks of NaN) give the canonical NaN.
        fn from_key(key: u64) -> Self {
            let key = key as $bits;
            let value = $T::from_bits(if key >> $shift == 1 { key & !(1 << $shift) } else { !key });
            if value.is_nan() { $T::NAN } else { value }
        }
        fn arg_key(self, smaller: bool) -> u64 {
            // −0 + 0 is +0.
            (self + 0.0).extreme_key(smaller)
        }
        fn is_nan(self) -> bool { self.is_nan() }
    })*};
}
ordered!(unsigned u8 u16 u32 u64);
ordered!(signed i8 i16 i32 i64);
ordered!(float f32 u32, i32, 31; f64 u64, i64, 63;);

impl Ordered for bool {
    fn key(self) -> u64 {
        self as u64
    }
    fn from_key(key: u64) -> Self {
        key != 0
    }
}

/// A product of integers: exact until it leaves 128 bits; a zero makes it zero whatever came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerProduct {
    /// The product of the nonzero factors; `None` once it does not fit.
    pub nonzero: Option<i128>,
    /// Whether a factor was zero.
    pub zero: bool,
}

impl IntegerProduct {
    /// The product of nothing.
    pub const ONE: Self = Self { nonzero: Some(1), zero: false };

    /// Multiplies by one factor.
    pub fn push(&mut self, factor: i128) {
        if factor == 0 {
            self.zero = true;
        } else {
            self.nonzero = self.nonzero.and_then(|p| p.checked_mul(factor));
        }
    }

    /// Multiplies by another product.
    pub fn merge(&mut self, other: Self) {
        self.zero |= other.zero;
        self.nonzero = self.nonzero.zip(other.nonzero).and_then(|(a, b)| a.checked_mul(b));
    }

    /// The product, if it fits.
    pub fn value(&self) -> Option<i128> {
        if self.zero { Some(0) } else { self.nonzero }
    }
}

/// A product of floats as `mantissa · 2^exponent`, so that nothing overflows or underflows before the end. Each step
/// rounds the mantissa to binary64: `n` factors are within `n · 2^-53` relative of the exact product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FloatProduct {
    /// Zero, infinite, NaN, or of magnitude in `[1, 2)`.
    pub mantissa: f64,
    /// The power of two.
    pub exponent: i64,
}

impl FloatProduct {
    /// The product of nothing.
    pub const ONE: Self = Self { mantissa: 1.0, exponent: 0 };

    /// `value · 2^exponent`.
    pub fn new(value: f64, exponent: i64) -> Self {
        let bits = value.to_bits();
        let field = (bits >> 52) & 0x7ff;
        if value == 0.0 || field == 0x7ff {
            return Self { mantissa: value, exponent: 0 };
        }
        if field == 0 {
            return Self::new(value * f64::from_bits((1023 + 60) << 52), exponent - 60);
        }
        Self { mantissa: f64::from_bits(bits & !(0x7ff << 52) | (1023 << 52)), exponent: exponent + field as i64 - 1023 }
    }

    /// Multiplies by one factor.
    pub fn push(&mut self, factor: f64) {
        self.merge(Self::new(factor, 0));
    }

    /// Multiplies by another product.
    pub fn merge(&mut self, other: Self) {
        *self = Self::new(self.mantissa * other.mantissa, self.exponent + other.exponent);
    }

    /// Rounds to binary64 (once more if the result is subnormal).
    pub fn to_f64(&self) -> f64 {
        let Self { mantissa, exponent } = *self;
        if mantissa.is_nan() {
            return f64::NAN;
        }
        if mantissa == 0.0 || mantissa.is_infinite() {
            return mantissa;
        }
        match exponent {
            1024.. => mantissa * f64::MAX * 2.0,
            -1022..=1023 => mantissa * f64::from_bits(((exponent + 1023) as u64) << 52),
            -1080..=-1023 => mantissa * f64::from_bits(1 << 52) * f64::from_bits(((exponent + 1022 + 1023) as u64) << 52),
            _ => 0.0f64.copysign(mantissa),
        }
    }

    /// Rounds to binary32 (through binary64).
    pub fn to_f32(&self) -> f32 {
        self.to_f64() as f32
    }
}

#[cfg(test)]
mod tests;
