//! Exact float results: operands taken apart into significands and positions, and how many words their sums need.
//!
//! A product of two significands, shifted to its place, is added to a fixed-point number of [`Fixed::words`] words whose
//! lowest bit is the lowest that any product can have; `convolve_exact_finish.wgsl` rounds it once. Operands whose exponents
//! lie too far apart for the widest of them take [`Fixed::FULL`], which holds everything. Integers of 64 bits, of which no more than one operand can be
//! made, are not taken apart: their lowest bit is that of 1. No floating-point operation is
//! involved.

use std::sync::Arc;

use super::Images;
use super::pack::{Weights, images_of};
use super::reach;
use super::shader::{Fixed, Sums};
use crate::exact::dot::Factor;
use crate::gpu::context::Context;
use crate::plan::{Boundary, ConvolvePlan};
use crate::view::View;
use crate::{Dtype, Result};

/// Positions of a significand of more than 32 bits are below this.
const POSITIONS: i32 = 512;
/// In a part: the factor is infinite or NaN.
const SPECIAL: u32 = 1 << 30;

/// An exact plan made ready.
pub(super) struct Exact {
    pub(super) sums: Sums,
    pub(super) weights: Weights,
    /// The exponent of bit 0 of the sums.
    pub(super) exponent: i32,
}

/// Exponents from that of the lowest bit of any number up to one past that of the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    low: i32,
    high: i32,
}

impl Span {
    const EMPTY: Self = Self { low: i32::MAX, high: i32::MIN };

    fn with(self, other: Self) -> Self {
        Self { low: self.low.min(other.low), high: self.high.max(other.high) }
    }

    /// That of one number; of its significand as a whole.
    fn of(factor: Factor) -> Self {
        match factor {
            Factor::Special(_) | Factor::Finite(_, 0, _) => Self::EMPTY,
            Factor::Finite(_, magnitude, exponent) => {
                Self { low: exponent, high: exponent + 64 - magnitude.leading_zeros() as i32 }
            }
        }
    }

    /// Zero bits for a span of nothing.
    fn settled(self) -> Self {
        if self == Self::EMPTY { Self { low: 0, high: 0 } } else { self }
    }

    fn bits(self) -> i32 {
        self.high - self.low
    }
}

/// Takes the weights apart and finds out how wide the sums must be.
pub(super) fn prepare(
    context: &Arc<Context>,
    plan: &ConvolvePlan,
    images: &Images<'_>,
    weights: &Weights,
    small: bool,
) -> Result<Exact> {
    let image_dtype = plan.image_dtype.real();
    // An exact zero is 0 in any form.
    let number = |value: f64| if value == 0.0 { Factor::from(0.0) } else { element(image_dtype, value) };
    let fills = [Boundary::fill, Boundary::fill_imaginary].map(|part| [2, 1, 0].map(|axis| number(part(plan.boundary[axis]))));
    let image =
        fills.as_flattened().iter().fold(image_span(context, plan, images)?, |span, &fill| span.with(Span::of(fill))).settled();
    let factors: Vec<Factor> = weights.factors().map(trimmed).collect();
    let mut kernel = factors.iter().fold(Span::EMPTY, |span, &w| span.with(Span::of(w))).settled();
    let widest = factors.iter().map(|&w| Span::of(w)).filter(|&span| span != Span::EMPTY).map(Span::bits).max().unwrap_or(0);
    // Only integers are that wide: they are taken as they are.
    let long = Some(plan.kernel_dtype).filter(|_| widest > 53);
    if long.is_some() {
        kernel = Span { low: 0, high: 64 };
    }
    let long_image = is_long(image_dtype);

    // Small problems share few shaders.
    let double = image_dtype.size() == 8 || widest > 32 || small;
    let widths: &[u8] = if small { &Fixed::FEW_WORDS } else { &Fixed::WORDS };
    let taps = plan.sum_channels() * plan.kernel.iter().product::<usize>();
    let bits = image.bits() + kernel.bits() + (usize::BITS - taps.leading_zeros()) as i32 + 1;
    let words = widths.iter().copied().find(|&words| bits <= 32 * i32::from(words));
    let fits = !double || (image.bits() <= POSITIONS && kernel.bits() <= POSITIONS);
    let Some(words) = words.filter(|_| fits) else {
        let number = |long: bool| {
            move |factor: Factor| match long {
                true => whole(factor),
                false => halves(factor.to_f64().to_bits()),
            }
        };
        let elements = factors.into_iter().map(number(long.is_some())).collect();
        let outside = fills.map(|part| part.map(number(long_image)));
        let weights = Weights::Parts { elements, outside, base: 0 };
        return Ok(Exact { sums: Sums::Exact(Fixed { long, ..Fixed::FULL }), weights, exponent: -2148 });
    };
    let least = match image_dtype {
        Dtype::F32 => -149,
        Dtype::F64 => -1074,
        _ => 0,
    };
    let weights = Weights::Parts {
        elements: factors.into_iter().map(|w| if long.is_some() { whole(w) } else { parts(w, kernel.low, double) }).collect(),
        outside: fills.map(|part| part.map(|fill| if long_image { whole(fill) } else { parts(fill, image.low, double) })),
        base: (image.low - least).max(0) as u32,
    };
    // Images of nothing but zeros have no lowest bit: any will do.
    Ok(Exact { sums: Sums::Exact(Fixed { words, double, long }), weights, exponent: image.low + kernel.low })
}

/// The boundary's constant as an element of an image.
fn element(dtype: Dtype, fill: f64) -> Factor {
    match dtype {
        Dtype::F32 => {
            let (bits, sign) = ((fill as f32).to_bits() & 0x7fff_ffff, fill.is_sign_negative());
            let (field, fraction) = ((bits >> 23) as i32, u64::from(bits & 0x7f_ffff));
            match field {
                0xff => Factor::Special(f64::from(fill as f32)),
                0 => Factor::Finite(sign, fraction, -149),
                _ => Factor::Finite(sign, fraction | 1 << 23, field - 150),
            }
        }
        Dtype::F64 => fill.into(),
        _ => (fill as i128).into(),
    }
}

/// The same number with an odd significand.
fn trimmed(factor: Factor) -> Factor {
    match factor {
        Factor::Finite(negative, magnitude, exponent) if magnitude != 0 => {
            let zeros = magnitude.trailing_zeros();
            Factor::Finite(negative, magnitude >> zeros, exponent + zeros as i32)
        }
        other => other,
    }
}

fn is_long(dtype: Dtype) -> bool {
    matches!(dtype, Dtype::U64 | Dtype::I64)
}

fn halves(bits: u64) -> [u32; 2] {
    [bits as u32, (bits >> 32) as u32]
}

/// An integer as it is, in two's complement of 64 bits.
fn whole(factor: Factor) -> [u32; 2] {
    match factor {
        Factor::Finite(negative, magnitude, exponent) if exponent >= 0 => {
            let magnitude = magnitude.checked_shl(exponent as u32).unwrap_or(0);
            halves(if negative { magnitude.wrapping_neg() } else { magnitude })
        }
        _ => [0; 2],
    }
}

/// A factor as `parts/convolve_exact.wgsl` reads it.
fn parts(factor: Factor, base: i32, double: bool) -> [u32; 2] {
    match factor {
        Factor::Special(value) => [u32::from(value.is_nan()), SPECIAL | u32::from(value < 0.0) << 31],
        Factor::Finite(_, 0, _) => [0; 2],
        Factor::Finite(negative, magnitude, exponent) => {
            let position = (exponent - base) as u32;
            let upper = if double { position << 21 | (magnitude >> 32) as u32 } else { position };
            [magnitude as u32, upper | u32::from(negative) << 31]
        }
    }
}

/// The span of the images' elements, of whole significands.
fn image_span(context: &Arc<Context>, plan: &ConvolvePlan, images: &Images<'_>) -> Result<Span> {
    let dtype = plan.image_dtype.real();
    // The exponent of the lowest bit of a number with field 1, and the bits of a significand.
    let (least, digits) = match dtype {
        Dtype::F32 => (-149, 24),
        Dtype::F64 => (-1074, 53),
        Dtype::Bool => return Ok(Span { low: 0, high: 1 }),
        _ => return Ok(Span { low: 0, high: 8 * dtype.size() as i32 }),
    };
    let fields = match images {
        Images::Host(view) => images_of(plan, view)
            .into_iter()
            .map(|view| fields(&view.parts()))
            .fold([0; 2], |a, b| [a[0].max(b[0]), a[1].max(b[1])]),
        Images::Device(buffer) => reach::span_on_device(context, dtype, buffer)?,
    };
    Ok(match fields {
        [0, _] => Span::EMPTY,
        [high, low] => Span { low: least + (4096 - low as i32) - 1, high: least + high as i32 - 1 + digits },
    })
}

/// The largest exponent field of the finite nonzero elements, and the largest of 4096 less that field, as
/// `convolve_span.wgsl` finds them.
fn fields(view: &View<'_>) -> [u32; 2] {
    let (mut least, mut most) = (u64::MAX, 0);
    let mut note = |magnitude: u64, infinity: u64| {
        let finite = magnitude < infinity;
        most = if finite && magnitude > most { magnitude } else { most };
        // Zero wraps around to the largest.
        let below = magnitude.wrapping_sub(1);
        least = if finite && below < least { below } else { least };
    };
    let shift = match view.dtype() {
        Dtype::F32 => {
            let mut note = |x: f32| note(u64::from(x.to_bits() & 0x7fff_ffff), 0xff << 23);
            match (view.as_slice::<f32>(), view.typed::<f32>()) {
                (Some(slice), _) => slice.iter().for_each(|&x| note(x)),
                (None, Some(array)) => array.iter().for_each(|&x| note(x)),
                (None, None) => {}
            }
            23
        }
        _ => {
            let mut note = |x: f64| note(x.to_bits() & (u64::MAX >> 1), 0x7ff << 52);
            match (view.as_slice::<f64>(), view.typed::<f64>()) {
                (Some(slice), _) => slice.iter().for_each(|&x| note(x)),
                (None, Some(array)) => array.iter().for_each(|&x| note(x)),
                (None, None) => {}
            }
            52
        }
    };
    if most == 0 {
        return [0; 2];
    }
    let field = |magnitude: u64| ((magnitude >> shift) as u32).max(1);
    [field(most), 4096 - field(least + 1)]
}
