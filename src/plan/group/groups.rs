//! Which keys make which group.

use crate::array::{collect, room};
use crate::dtype::with_dtype;
use crate::plan::Ordered;
use crate::{Dtype, Error, Result};

/// Which keys make which group.
#[derive(Debug, Clone, PartialEq)]
pub enum Groups {
    /// Group `i` has the order key `first + i`.
    Consecutive {
        /// The key of the first group.
        first: u64,
        /// How many.
        count: usize,
    },
    /// Group `i` has the `i`-th of these order keys, which ascend.
    Listed(Vec<u64>),
    /// Group `i` has the order keys from `lower[i]` to below `lower[i + 1]`, the last one to `last`, including it. Groups
    /// beyond are empty.
    Between {
        /// The least key of each group, not descending.
        lower: Vec<u64>,
        /// The largest key of the last group.
        last: u64,
        /// How many groups there are, the empty ones at the end included.
        count: usize,
        /// The first edge and the groups per unit, if they are equally wide: a hint.
        even: Option<(f64, f64)>,
    },
}

impl Groups {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Consecutive { count, .. } | Self::Between { count, .. } => *count,
            Self::Listed(keys) => keys.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The groups between edges that do not descend: half open, `edges[i] <= x < edges[i + 1]`, the last one closed. `x` is
    /// rounded to binary64 where it has more bits, as NumPy's comparison does.
    pub(crate) fn between(edges: &[f64], dtype: Dtype) -> Result<Self> {
        let wrong =
            edges.len() < 2 || edges.windows(2).any(|pair| pair[0].partial_cmp(&pair[1]).is_none_or(std::cmp::Ordering::is_gt));
        if wrong {
            let got = format!("{} edges", edges.len());
            return Err(Error::invalid("edges of bins", got, "at least two numbers that do not descend"));
        }
        let count = edges.len() - 1;
        let (first, end) = (edges[0], edges[count]);
        with_dtype!(dtype, T => {
            let mut lower = room(count)?;
            lower.extend(edges[..count].iter().map_while(|&edge| least::<T>(|x| x >= edge)));
            let last = match least::<T>(|x| x > end) {
                None => Some(bounds::<T>().1),
                // Nothing may be at or below the last edge.
                Some(above) if above == bounds::<T>().0 => None,
                Some(above) => Some(above - 1),
            };
            let scale = count as f64 / (end - first);
            let even = scale.is_finite() && edges.iter().enumerate().all(|(i, edge)| ((edge - first) * scale - i as f64).abs() < 0.5);
            let (lower, last) = last.map_or((vec![], 0), |last| (lower, last));
            Ok(Self::Between { lower, last, count, even: even.then_some((first, scale)) })
        })
    }

    /// The groups of these integers, ascending and different, as labels of this dtype, and for each label the group that it
    /// is, if the dtype has it.
    pub(crate) fn of_labels(labels: &[i64], dtype: Dtype) -> Result<(Self, Vec<Option<usize>>)> {
        let Some((least, most)) = dtype.integer_range() else {
            return Err(Error::Dtype { what: "labels".into(), got: dtype, expected: "integers".into() });
        };
        let key = |label: i64| {
            let fits = (least..=most).contains(&i128::from(label));
            fits.then_some(if dtype.is_signed_integer() { (label as u64) ^ (1 << 63) } else { label as u64 })
        };
        let mut keys: Vec<u64> = room(labels.len())?;
        keys.extend(labels.iter().filter_map(|&label| key(label)));
        keys.sort_unstable();
        keys.dedup();
        let places = collect(labels.iter().map(|&label| key(label).and_then(|key| keys.binary_search(&key).ok())))?;
        let groups = match (keys.first(), keys.last()) {
            (Some(&first), Some(&last)) if last - first == keys.len() as u64 - 1 => {
                Self::Consecutive { first, count: keys.len() }
            }
            _ => Self::Listed(keys),
        };
        Ok((groups, places))
    }
}

/// A number of any dtype, rounded to binary64.
pub(crate) trait Number: Ordered {
    fn number(self) -> f64;
}

macro_rules! numbers {
    ($($T:ty)*) => {$(impl Number for $T {
        #[inline(always)]
        fn number(self) -> f64 { self as f64 }
    })*};
}
numbers!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);

impl Number for bool {
    #[inline(always)]
    fn number(self) -> f64 {
        f64::from(u8::from(self))
    }
}

/// The least and the largest order key of a dtype's numbers.
fn bounds<T: crate::Element>() -> (u64, u64) {
    match T::DTYPE {
        Dtype::F32 => (f32::NEG_INFINITY.key(), f32::INFINITY.key()),
        Dtype::F64 => (f64::NEG_INFINITY.key(), f64::INFINITY.key()),
        dtype => {
            let (least, most) = dtype.integer_range().unwrap_or((0, 0));
            let shift = if dtype.is_signed_integer() { 1i128 << 63 } else { 0 };
            ((least + shift) as u64, (most + shift) as u64)
        }
    }
}

/// The least order key whose number satisfies `wanted`, which holds from some number on.
fn least<T: Number + crate::Element>(wanted: impl Fn(f64) -> bool) -> Option<u64> {
    let (mut low, high) = bounds::<T>();
    if !wanted(T::from_key(high).number()) {
        return None;
    }
    let mut found = high;
    while low < found {
        let middle = low + (found - low) / 2;
        if wanted(T::from_key(middle).number()) {
            found = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(found)
}
