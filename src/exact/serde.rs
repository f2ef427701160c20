//! Partials with serde: their byte forms, as bytes (in formats without those, a list of numbers).

use serde::de::{Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ExactDot, ExactSum, MinMax, Moments};
use crate::{Histogram, IntegralState, LabelPartials, MonteCarloState, Partials};

/// Takes bytes in any of the forms that formats have for them.
struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the bytes of a partial result of unisono")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = numbers.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

macro_rules! as_bytes {
    ($($T:ident)*) => {$(
        impl Serialize for $T {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_bytes(&self.to_bytes())
            }
        }

        impl<'de> Deserialize<'de> for $T {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::from_bytes(&deserializer.deserialize_byte_buf(Bytes)?).map_err(D::Error::custom)
            }
        }
    )*};
}
as_bytes!(ExactSum ExactDot Moments MinMax Histogram Partials LabelPartials MonteCarloState IntegralState);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partials_survive_json() {
        let mut moments = Moments::new();
        moments.extend_f64(&[1e300, -2.5, 1e-300]);
        let text = serde_json::to_string(&moments).unwrap();
        assert_eq!(serde_json::from_str::<Moments>(&text).unwrap(), moments);
        let range = MinMax::of(&[3i16, -4]);
        assert_eq!(serde_json::from_str::<MinMax>(&serde_json::to_string(&range).unwrap()).unwrap(), range);
        let backend = crate::Backend::cpu();
        let histogram = backend.histogram_weighted(&[1, 2, 2], &[0.1, 0.2, 0.3], &crate::Bins::uniform(3)).unwrap();
        assert_eq!(serde_json::from_str::<Histogram>(&serde_json::to_string(&histogram).unwrap()).unwrap(), histogram);
        let (values, labels) = ([1e300, 2.0], [1u8, 2]);
        for op in crate::GroupOp::ALL.into_iter().filter(|op| op.is_mergeable()) {
            use crate::AsOperand;
            let found = backend.label_partials(&values.as_operand(), &labels.as_operand(), op, Some(&[2, 7])).unwrap();
            assert_eq!(serde_json::from_str::<LabelPartials>(&serde_json::to_string(&found).unwrap()).unwrap(), found);
        }
        let sums = Partials::Float(vec![ExactSum::new(), moments.sum().clone()]);
        assert_eq!(serde_json::from_str::<Partials>(&serde_json::to_string(&sums).unwrap()).unwrap(), sums);
        let mut pi = MonteCarloState::pi(7);
        backend.extend(&mut pi, 3..1000).unwrap();
        assert_eq!(serde_json::from_str::<MonteCarloState>(&serde_json::to_string(&pi).unwrap()).unwrap(), pi);
        let how = crate::Integrate::new("exp(-x)", &[("x", 0.0, 1.0)]).unwrap();
        for method in crate::IntegralMethod::ALL {
            let mut integral = IntegralState::new(&how.clone().method(method)).unwrap();
            backend.extend_integral(&mut integral, 0..1000).unwrap();
            let text = serde_json::to_string(&integral).unwrap();
            assert_eq!(serde_json::from_str::<IntegralState>(&text).unwrap(), integral);
        }
        let error = serde_json::from_str::<ExactSum>("[1, 2]").unwrap_err().to_string();
        assert!(error.contains("2 bytes, expected 280"), "{error}");
    }
}
