//! The byte form of partials: a version byte, their kind, six zeros, how many, then one after the other; numbers with their least
//! significant byte first.

use super::{FloatProduct, IntegerProduct, Partials};
use crate::exact::{ExactDot, Moments};
use crate::{Error, ExactSum, Result};

/// The version of the byte form.
const VERSION: u8 = 1;
/// Bytes in front.
const HEAD: usize = 16;

/// A partial of fixed length.
trait Item: Sized {
    fn put(&self, bytes: &mut Vec<u8>);
    fn get(bytes: &[u8]) -> Option<Self>;
    /// Bytes of each.
    fn len() -> usize;
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[8 * at..8 * at + 8].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte))
}

fn wide(bytes: &[u8], at: usize) -> i128 {
    (u128::from(word(bytes, at + 1)) << 64 | u128::from(word(bytes, at))) as i128
}

macro_rules! exact {
    ($($T:ty)*) => {$(impl Item for $T {
        fn put(&self, bytes: &mut Vec<u8>) {
            bytes.extend(self.to_bytes());
        }
        fn get(bytes: &[u8]) -> Option<Self> {
            Self::from_bytes(bytes).ok()
        }
        fn len() -> usize {
            Self::new().to_bytes().len()
        }
    })*};
}
exact!(ExactSum ExactDot Moments);

macro_rules! words {
    ($($T:ty, $n:literal: |$x:ident| $words:expr, |$b:ident| $from:expr;)*) => {$(impl Item for $T {
        fn put(&self, bytes: &mut Vec<u8>) {
            let $x = *self;
            let words: [u64; $n] = $words;
            words.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        }
        fn get($b: &[u8]) -> Option<Self> {
            $from
        }
        fn len() -> usize {
            8 * $n
        }
    })*};
}
words! {
    u64, 1: |x| [x], |b| Some(word(b, 0));
    f64, 1: |x| [x.to_bits()], |b| Some(f64::from_bits(word(b, 0)));
    i128, 2: |x| [x as u64, (x >> 64) as u64], |b| Some(wide(b, 0));
    FloatProduct, 2: |x| [x.mantissa.to_bits(), x.exponent as u64], |b| {
        let found = Self { mantissa: f64::from_bits(word(b, 0)), exponent: word(b, 1) as i64 };
        // Only what multiplications leave.
        let normal = Self::new(found.mantissa, found.exponent);
        (normal.mantissa.to_bits() == found.mantissa.to_bits() && normal.exponent == found.exponent).then_some(found)
    };
    IntegerProduct, 4: |x| {
        let nonzero = x.nonzero.unwrap_or(0);
        let flags = u64::from(x.nonzero.is_some()) | u64::from(x.negative) << 1 | u64::from(x.zero) << 2;
        [flags, x.low, nonzero as u64, (nonzero >> 64) as u64]
    }, |b| {
        let (flags, low, nonzero) = (word(b, 0), word(b, 1), wide(b, 2));
        let (known, negative, zero) = (flags & 1 == 1, flags & 2 == 2, flags & 4 == 4);
        let fits = if known { nonzero != 0 && nonzero as u64 == low && (nonzero < 0) == negative } else { nonzero == 0 };
        (flags < 8 && fits).then_some(Self { nonzero: known.then_some(nonzero), low, negative, zero })
    };
    Option<u64>, 2: |x| [u64::from(x.is_some()), x.unwrap_or(0)], |b| some(b).map(|there| there.then(|| word(b, 1)));
    Option<(u64, u64)>, 3: |x| [u64::from(x.is_some()), x.unwrap_or((0, 0)).0, x.unwrap_or((0, 0)).1],
        |b| some(b).map(|there| there.then(|| (word(b, 1), word(b, 2))));
}

/// Whether there is a value; `None` for bytes that say neither.
fn some(bytes: &[u8]) -> Option<bool> {
    match word(bytes, 0) {
        0 => bytes[8..].iter().all(|&byte| byte == 0).then_some(false),
        1 => Some(true),
        _ => None,
    }
}

/// The kind of partials that have another in them.
const COUNTED: u8 = 11;

impl Partials {
    /// Which kind it is, in byte forms.
    const fn kind(&self) -> u8 {
        match self {
            Self::Float(_) => 0,
            Self::Integer(_) => 1,
            Self::IntegerProduct(_) => 2,
            Self::FloatProduct(_) => 3,
            Self::Extreme(_) => 4,
            Self::Arg(_) => 5,
            Self::Range(_) => 6,
            Self::Count(_) => 7,
            Self::Moments(_) => 8,
            Self::Dot(_) => 9,
            Self::Fast(_) => 10,
            Self::Counted(..) => COUNTED,
        }
    }

    /// How many results they are of.
    pub fn len(&self) -> usize {
        match self {
            Self::Float(items) => items.len(),
            Self::Integer(items) => items.len(),
            Self::IntegerProduct(items) => items.len(),
            Self::FloatProduct(items) => items.len(),
            Self::Extreme(items) => items.len(),
            Self::Arg(items) | Self::Range(items) => items.len(),
            Self::Count(items) | Self::Counted(_, items) => items.len(),
            Self::Moments(items) => items.len(),
            Self::Dot(items) => items.len(),
            Self::Fast(items) => items.len(),
        }
    }

    /// Whether they are of no result.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The byte form: a version byte, the kind, six zeros, how many, then each; all numbers with their least significant byte
    /// first. Equal partials have equal bytes.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{AsOperand, Backend, Partials, Reduce};
    /// let how = Reduce::sum();
    /// let (plan, mut sums) = Backend::cpu().reduce_partials(&[1e100, 1.0].as_operand(), &how)?;
    /// let (_, there) = Backend::cpu().reduce_partials(&[-1e100].as_operand(), &how)?;
    /// sums.merge(&Partials::from_bytes(&there.to_bytes())?, plan.op, 0)?;
    /// assert_eq!(plan.finish(&sums)?, unisono::HostVec::F64(vec![1.0]));
    /// # Ok(())
    /// # }
    /// ```
    pub fn to_bytes(&self) -> Vec<u8> {
        fn all<T: Item>(items: &[T], bytes: &mut Vec<u8>) {
            items.iter().for_each(|item| item.put(bytes));
        }
        let mut bytes = vec![VERSION, self.kind(), 0, 0, 0, 0, 0, 0];
        bytes.extend((self.len() as u64).to_le_bytes());
        match self {
            Self::Float(items) => all(items, &mut bytes),
            Self::Integer(items) => all(items, &mut bytes),
            Self::IntegerProduct(items) => all(items, &mut bytes),
            Self::FloatProduct(items) => all(items, &mut bytes),
            Self::Extreme(items) => all(items, &mut bytes),
            Self::Arg(items) | Self::Range(items) => all(items, &mut bytes),
            Self::Count(items) => all(items, &mut bytes),
            Self::Moments(items) => all(items, &mut bytes),
            Self::Dot(items) => all(items, &mut bytes),
            Self::Fast(items) => all(items, &mut bytes),
            Self::Counted(partials, counts) => {
                all(counts, &mut bytes);
                bytes.extend(partials.to_bytes());
            }
        }
        bytes
    }

    /// Reads [`to_bytes`](Self::to_bytes)'s form.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for another version, kind or length, or bytes that no partials have.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let corrupt = |reason: String| Error::Corrupt { what: "partials".into(), reason };
        let (head, body) = bytes.split_at_checked(HEAD).ok_or_else(|| corrupt(format!("{} bytes", bytes.len())))?;
        if head[0] != VERSION {
            return Err(corrupt(format!("version {}, expected {VERSION}", head[0])));
        }
        if head[2..8] != [0; 6] {
            return Err(corrupt(format!("unknown flags {:?}", &head[2..8])));
        }
        let count = word(head, 1);
        let fits = |len: usize| usize::try_from(count).ok().and_then(|n| n.checked_mul(len));
        fn all<T: Item>(body: &[u8]) -> Option<Vec<T>> {
            body.chunks_exact(T::len()).map(T::get).collect()
        }
        macro_rules! read {
            ($($kind:literal $variant:ident $T:ty;)*) => {
                match head[1] {
                    $($kind => {
                        let expected = fits(<$T>::len());
                        if expected != Some(body.len()) {
                            return Err(corrupt(format!("{} bytes for {count} of kind {}", bytes.len(), head[1])));
                        }
                        Self::$variant(all(body).ok_or_else(|| corrupt("values that nothing gives".into()))?)
                    })*
                    COUNTED => {
                        let split = fits(8).and_then(|at| body.split_at_checked(at));
                        let (counts, rest) = split.ok_or_else(|| corrupt(format!("{} bytes for {count} counts", bytes.len())))?;
                        if rest.get(1) == Some(&COUNTED) {
                            return Err(corrupt("counts of counts".into()));
                        }
                        let partials = Self::from_bytes(rest)?;
                        if partials.len() as u64 != count {
                            return Err(corrupt(format!("{} partials for {count} counts", partials.len())));
                        }
                        Self::Counted(Box::new(partials), all(counts).unwrap_or_default())
                    }
                    kind => return Err(corrupt(format!("unknown kind {kind}"))),
                }
            };
        }
        Ok(read! {
            0 Float ExactSum; 1 Integer i128; 2 IntegerProduct IntegerProduct; 3 FloatProduct FloatProduct;
            4 Extreme Option<u64>; 5 Arg Option<(u64, u64)>; 6 Range Option<(u64, u64)>; 7 Count u64; 8 Moments Moments;
            9 Dot ExactDot; 10 Fast f64;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AsOperand, Backend, NormOrder, Reduce, ReduceOp};

    #[test]
    fn every_partial_comes_back_and_damage_is_refused() {
        let cpu = Backend::cpu();
        let floats = ndarray::arr2(&[[1e300, -0.0, f64::INFINITY], [5e-324, 2.0, f64::NAN], [-3.5, 0.0, -7.0]]);
        let integers = ndarray::arr2(&[[i64::MIN, -1, 0], [i64::MAX, 7, 2], [3, 3, i64::MIN]]);
        let ops = ReduceOp::ALL.into_iter().chain([ReduceOp::Norm(NormOrder::One), ReduceOp::Norm(NormOrder::Zero)]);
        for op in ops.filter(|&op| op != ReduceOp::Dot) {
            for how in [Reduce::of(op).axes(&[0]), Reduce::of(op), Reduce::of(op).axes(&[1]).skip_nan()] {
                for operand in [floats.as_operand(), integers.as_operand()] {
                    let (plan, partials) = cpu.reduce_partials(&operand, &how).unwrap();
                    let bytes = partials.to_bytes();
                    let back = Partials::from_bytes(&bytes).unwrap();
                    // NaN is not its own equal.
                    assert_eq!(back.to_bytes(), bytes, "{op}");
                    assert_eq!(back.len(), plan.out_len());
                    let mut sum = plan.empty_partials();
                    sum.merge(&back, op, 0).unwrap();
                    for cut in [0, 7, HEAD, bytes.len() - 1] {
                        assert!(Partials::from_bytes(&bytes[..cut]).is_err(), "{op} {cut}");
                    }
                    let spoilt = |at: usize, value: u8| {
                        let mut bytes = bytes.clone();
                        bytes[at] = value;
                        Partials::from_bytes(&bytes).unwrap_err().to_string()
                    };
                    assert!(spoilt(0, 9).contains("version 9, expected 1"), "{op}");
                    assert!(spoilt(1, 77).contains("unknown kind 77"), "{op}");
                    assert!(spoilt(10, 99).contains("bytes for"), "{op}");
                }
            }
        }
    }
}
