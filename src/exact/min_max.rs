//! The smallest and the largest element, and where they are.

use super::bytes::Reader;
use crate::dtype::with_dtype;
use crate::plan::{Ordered, first_extreme};
use crate::{Dtype, Error, Real, Result};

/// The version of the byte form.
const VERSION: u8 = 1;
/// Bytes of the byte form: version, dtype, six zeros, count, and two keys and indices.
const BYTES: usize = 48;

/// The smallest and the largest of some elements, each with the index of the first: what `min`, `max`, `argmin` and `argmax`
/// give, in one value that merges exactly. NaN wins over every number; −0 comes before +0, and is its equal for the index.
///
/// ```
/// use unisono::MinMax;
/// let mut front = MinMax::of(&[3.0, -1.0]);
/// front.merge(&MinMax::of(&[9.0, -1.0]))?;
/// assert_eq!((front.count(), front.min::<f64>(), front.argmin()), (4, Some(-1.0), Some(1)));
/// assert_eq!((front.max::<f64>(), front.argmax()), (Some(9.0), Some(2)));
/// assert_eq!(MinMax::from_bytes(&front.to_bytes())?, front);
/// # Ok::<(), unisono::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinMax {
    dtype: Dtype,
    count: u64,
    /// Order keys and indices of the smallest and the largest; anything for a count of 0.
    least: (u64, u64),
    most: (u64, u64),
}

impl MinMax {
    /// Those of nothing.
    pub const fn new(dtype: Dtype) -> Self {
        Self { dtype, count: 0, least: (0, 0), most: (0, 0) }
    }

    /// Those of the elements of a slice.
    pub fn of<T: Real>(values: &[T]) -> Self {
        let mut found = Self::new(T::DTYPE);
        for &value in values {
            let key = |smaller| (value.extreme_key(smaller), 0);
            found.append(&Self { dtype: T::DTYPE, count: 1, least: key(true), most: key(false) });
        }
        found
    }

    /// From their parts: order keys and indices.
    pub(crate) fn from_parts(dtype: Dtype, count: u64, least: (u64, u64), most: (u64, u64)) -> Self {
        if count == 0 { Self::new(dtype) } else { Self { dtype, count, least, most } }
    }

    /// Appends the elements of another part, which follow these: their indices count on.
    ///
    /// # Errors
    /// [`Error::Dtype`] for elements of another dtype.
    pub fn merge(&mut self, later: &Self) -> Result<()> {
        if later.dtype != self.dtype {
            let expected = self.dtype.to_string();
            return Err(Error::Dtype { what: "extremes to merge".into(), got: later.dtype, expected });
        }
        self.append(later);
        Ok(())
    }

    fn append(&mut self, later: &Self) {
        if later.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *later;
            return;
        }
        let join = |ours: (u64, u64), theirs: (u64, u64), smaller: bool| {
            let theirs = (theirs.0, theirs.1 + self.count);
            let equal = |(key, index)| (self.arg_key(key), index);
            let key = if smaller { ours.0.min(theirs.0) } else { ours.0.max(theirs.0) };
            (key, first_extreme(equal(ours), equal(theirs), smaller).1)
        };
        (self.least, self.most) = (join(self.least, later.least, true), join(self.most, later.most, false));
        self.count += later.count;
    }

    /// The key with −0 and +0 as one.
    fn arg_key(&self, key: u64) -> u64 {
        match self.dtype {
            Dtype::F32 if key == (-0f32).key() => 0f32.key(),
            Dtype::F64 if key == (-0f64).key() => 0f64.key(),
            _ => key,
        }
    }

    /// The number of elements.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Their dtype.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The smallest element; `None` of nothing, or if `T` is not the dtype.
    pub fn min<T: Real>(&self) -> Option<T> {
        (self.count > 0 && T::DTYPE == self.dtype).then(|| T::from_key(self.least.0))
    }

    /// The largest element; `None` of nothing, or if `T` is not the dtype.
    pub fn max<T: Real>(&self) -> Option<T> {
        (self.count > 0 && T::DTYPE == self.dtype).then(|| T::from_key(self.most.0))
    }

    /// The index of the first smallest element.
    pub fn argmin(&self) -> Option<u64> {
        (self.count > 0).then_some(self.least.1)
    }

    /// The index of the first largest element.
    pub fn argmax(&self) -> Option<u64> {
        (self.count > 0).then_some(self.most.1)
    }

    /// The byte form: a version byte, the dtype, six zeros, the count, and order key and index of both, least significant
    /// byte first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, self.dtype as u8, 0, 0, 0, 0, 0, 0];
        for word in [self.count, self.least.0, self.least.1, self.most.0, self.most.1] {
            bytes.extend(word.to_le_bytes());
        }
        bytes
    }

    /// Reads [`to_bytes`](Self::to_bytes)'s form.
    ///
    /// # Errors
    /// [`Error::Corrupt`] for another version or length, or bytes that no extremes have.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let read = Reader::new("extremes", bytes, VERSION, BYTES)?;
        let Some(&dtype) = Dtype::ALL.get(usize::from(bytes[1])) else {
            return Err(read.corrupt(format!("unknown dtype {}", bytes[1])));
        };
        if bytes[2..8] != [0; 6] {
            return Err(read.corrupt(format!("unknown flags {:?}", &bytes[2..8])));
        }
        let mut words = [0; 5];
        read.words(8, &mut words);
        let [count, least, at_least, most, at_most] = words;
        let found = Self { dtype, count, least: (least, at_least), most: (most, at_most) };
        let is_key = |key: u64, smaller| with_dtype!(dtype, T => T::from_key(key).extreme_key(smaller) == key);
        let fine = match count {
            0 => found == Self::new(dtype),
            _ => {
                let nan = least == 0 && most == u64::MAX && dtype.is_float();
                at_least < count && at_most < count && is_key(least, true) && is_key(most, false) && (least <= most || nan)
            }
        };
        if fine { Ok(found) } else { Err(read.corrupt("extremes that no elements have")) }
    }
}
