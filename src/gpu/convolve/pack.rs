//! Operands on their way to the device: kernels as vectors of weights, boxes of images as they are; and range analysis.

use std::ops::Range;

use super::chunk::{Axis, Source};
use super::shader::Sums;
use crate::dtype::with_dtype;
use crate::exact::dot::Factor;
use crate::plan::{Boundary, ConvolvePlan};
use crate::view::View;
use crate::{Dtype, Real};

/// The weights of a plan's kernels, in the order of the taps.
#[derive(Debug)]
pub(super) enum Weights {
    Integer(Vec<i128>),
    Float(Vec<f64>),
    /// Of exact float sums: elements, values outside along x, y and z (real, imaginary), and the images' base, as the shader
    /// reads them.
    Parts {
        elements: Vec<[u32; 2]>,
        outside: [[[u32; 2]; 3]; 2],
        base: u32,
    },
}

impl Weights {
    /// Reads the part's kernels.
    pub(super) fn read(plan: &ConvolvePlan, kernel: &View<'_>) -> Self {
        let taps: usize = plan.kernel.iter().product();
        let (mut integers, mut floats) = (vec![], vec![]);
        let mut bytes = vec![0; plan.channels * taps * plan.kernel_dtype.size()];
        for k in plan.kernels.clone() {
            let mut one = kernel.clone().item(plan.kernel_lead.len(), k);
            if plan.reversed {
                for axis in one.rank() - plan.rank..one.rank() {
                    one = one.flipped(axis);
                }
            }
            one.copy_to_bytes(&mut bytes);
            if plan.kernel_dtype.is_complex() {
                let mut parts = vec![];
                with_dtype!(plan.kernel_dtype, T => read::<T>(&bytes, &mut vec![], &mut parts));
                real_kernels(plan, taps, &parts, &mut floats);
            } else {
                with_dtype!(plan.kernel_dtype, T => read::<T>(&bytes, &mut integers, &mut floats));
            }
        }
        if plan.kernel_dtype.is_float() { Self::Float(floats) } else { Self::Integer(integers) }
    }

    /// The largest `Σ|w|` of a kernel; 0 for floats.
    pub(super) fn largest_sum(&self, taps: usize) -> u128 {
        let Self::Integer(weights) = self else { return 0 };
        let sums = weights.chunks(taps.max(1)).map(|one| one.iter().fold(0u128, |sum, w| sum.saturating_add(w.unsigned_abs())));
        sums.max().unwrap_or(0)
    }

    /// The weights as floats; none of exact float sums.
    pub(super) fn values(&self) -> Vec<f64> {
        match self {
            Self::Integer(weights) => weights.iter().map(|&w| w as f64).collect(),
            Self::Float(weights) => weights.clone(),
            Self::Parts { .. } => vec![],
        }
    }

    /// The weights as factors.
    pub(super) fn factors(&self) -> Box<dyn Iterator<Item = Factor> + '_> {
        match self {
            Self::Integer(weights) => Box::new(weights.iter().map(|&w| w.into())),
            Self::Float(weights) => Box::new(weights.iter().map(|&w| w.into())),
            Self::Parts { .. } => Box::new(std::iter::empty()),
        }
    }

    fn push(&self, at: usize, sums: Sums, out: &mut Vec<u8>) {
        match self {
            Self::Integer(weights) => push(sums, weights[at], weights[at] as f64, out),
            Self::Float(weights) => push(sums, 0, weights[at], out),
            Self::Parts { elements, .. } => out.extend(bytemuck::bytes_of(&elements[at])),
        }
    }

    /// The weights of real `kernels` (counted from the part's first) as the shader reads them, and behind them the values
    /// outside along x, y and z, the real and then the imaginary ones. Also the number of elements before those.
    ///
    /// In a bank: per group of 4 kernels and tap, a vector over the kernels. For single kernels: per tap row, vectors of 4
    /// taps. In limbs: one element per tap.
    pub(super) fn pack(&self, plan: &ConvolvePlan, kernels: Range<usize>, sums: Sums, bank: bool) -> (Vec<u8>, u32) {
        let [kz, ky, kx] = plan.kernel;
        let rows = plan.sum_channels() * kz * ky;
        let taps = rows * kx;
        let mut out = vec![];
        let zero = |out: &mut Vec<u8>| push(sums, 0, 0.0, out);
        if bank {
            for first in kernels.clone().step_by(4) {
                for tap in 0..taps {
                    for k in first..first + 4 {
                        match k < kernels.end {
                            true => self.push(k * taps + tap, sums, &mut out),
                            false => zero(&mut out),
                        }
                    }
                }
            }
        } else {
            let padded = if sums.is_tiled() { kx.next_multiple_of(4) } else { kx };
            for row in kernels.start * rows..kernels.end * rows {
                for x in 0..padded {
                    match x < kx {
                        true => self.push(row * kx + x, sums, &mut out),
                        false => zero(&mut out),
                    }
                }
            }
        }
        let element = sums.weight_bytes() * if sums.is_tiled() { 4 } else { 1 };
        let fill_at = out.len() / element;
        if let Self::Parts { outside, base, .. } = self {
            for (outside, last) in std::iter::zip(outside, [*base, 0]) {
                out.extend(bytemuck::bytes_of(outside));
                out.extend(bytemuck::bytes_of(&[last, 0]));
            }
            return (out, fill_at as u32);
        }
        for part in [Boundary::fill, Boundary::fill_imaginary] {
            for axis in [2, 1, 0] {
                let fill = part(plan.boundary[axis]);
                let fill = if plan.image_dtype.real() == Dtype::F32 { f64::from(fill as f32) } else { fill };
                push(sums, fill as i128, fill, &mut out);
            }
            zero(&mut out);
        }
        (out, fill_at as u32)
    }

    /// Bytes of one packed kernel, at least; of a complex one, of both its parts.
    pub(super) fn packed_bytes(plan: &ConvolvePlan, sums: Sums) -> u64 {
        let [kz, ky, kx] = plan.kernel;
        (plan.kernel_parts() * plan.sum_channels() * kz * ky * kx.next_multiple_of(4) * sums.weight_bytes()) as u64
    }
}

/// The weights of the two real kernels of a complex one.
fn real_kernels(plan: &ConvolvePlan, taps: usize, parts: &[f64], out: &mut Vec<f64>) {
    for kernel in 0..plan.kernel_parts() {
        for channel in 0..plan.sum_channels() {
            let (part, negated) = plan.weight_part(kernel, channel);
            let first = channel / plan.channel_parts() * taps;
            let weights = (first..first + taps).map(|tap| parts[2 * tap + part]);
            out.extend(weights.map(|w| if negated { -w } else { w }));
        }
    }
}

fn read<T: Real + Value>(bytes: &[u8], integers: &mut Vec<i128>, floats: &mut Vec<f64>) {
    let values = bytes.chunks_exact(size_of::<T>()).map(T::from_bytes);
    match T::DTYPE.is_float() {
        true => floats.extend(values.map(Value::float)),
        false => integers.extend(values.map(Value::integer)),
    }
}

/// Appends a number as the shader's type reads it: exact, or its low bits where the sums are modulo.
fn push(sums: Sums, integer: i128, float: f64, out: &mut Vec<u8>) {
    match sums {
        Sums::F32 | Sums::F32Integer => out.extend((float as f32).to_le_bytes()),
        Sums::F64 => out.extend(float.to_le_bytes()),
        Sums::I32 => out.extend((integer as i32).to_le_bytes()),
        // Exact float sums have parts, and zeros.
        Sums::I64 | Sums::Limbs2 | Sums::Limbs5 | Sums::Exact(_) => out.extend((integer as i64).to_le_bytes()),
    }
}

/// An element as an integer or a float.
trait Value: Copy {
    fn from_bytes(bytes: &[u8]) -> Self;
    fn integer(self) -> i128;
    fn float(self) -> f64;
}

macro_rules! values {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn from_bytes(bytes: &[u8]) -> Self {
                <$type>::from_ne_bytes(bytes.try_into().unwrap_or_default())
            }
            fn integer(self) -> i128 {
                self as i128
            }
            fn float(self) -> f64 {
                self as f64
            }
        }
    )*};
}
values!(u8, i8, u16, i16, u32, i32, u64, i64, f32, f64);

impl Value for bool {
    fn from_bytes(bytes: &[u8]) -> Self {
        bytes != [0]
    }
    fn integer(self) -> i128 {
        self.into()
    }
    fn float(self) -> f64 {
        u8::from(self).into()
    }
}

/// The largest magnitude that an integer dtype holds; 0 for floats.
pub(super) fn bound(dtype: Dtype) -> u128 {
    dtype.integer_range().map_or(0, |(lo, hi)| lo.unsigned_abs().max(hi.unsigned_abs()))
}

/// The largest `|x|` of the part's integer images in host memory.
pub(super) fn largest_magnitude(plan: &ConvolvePlan, image: &View<'_>) -> u128 {
    fn scan<T: Real + Value>(view: &View<'_>) -> u128 {
        // Both ends are found without leaving the type, so that the compiler can vectorise.
        let ends = |(lo, hi): (T, T), x: T| (if x < lo { x } else { lo }, if x > hi { x } else { hi });
        let zero = T::from_bytes(&[0; 8][..size_of::<T>()]);
        let (lo, hi) = match (view.as_slice::<T>(), view.typed::<T>()) {
            (Some(slice), _) => slice.iter().copied().fold((zero, zero), ends),
            (None, Some(array)) => array.iter().copied().fold((zero, zero), ends),
            (None, None) => return bound(T::DTYPE),
        };
        lo.integer().unsigned_abs().max(hi.integer().unsigned_abs())
    }
    if plan.image_dtype.size() == 1 {
        return bound(plan.image_dtype);
    }
    images_of(plan, image).iter().map(|view| with_dtype!(plan.image_dtype, T => scan::<T>(view))).max().unwrap_or(0)
}

/// The part's images: all at once, or one by one.
pub(super) fn images_of<'a>(plan: &ConvolvePlan, image: &View<'a>) -> Vec<View<'a>> {
    if plan.images.len() == plan.image_count() {
        return vec![image.clone()];
    }
    plan.images.clone().map(|n| image.clone().item(plan.image_lead.len(), n)).collect()
}

/// Boxes of a batch of images in host memory, as they are packed into one block.
pub(super) struct Boxes<'a> {
    pub(super) image: &'a View<'a>,
    pub(super) lead: usize,
    pub(super) images: Range<usize>,
    pub(super) axes: &'a [Axis; 3],
    pub(super) size: usize,
}

impl Boxes<'_> {
    /// Writes bytes `range` of the packed block: planes of channels, image by image.
    pub(super) fn fill(&self, range: Range<u64>, out: &mut [u8]) {
        let size = self.size as u64;
        if !range.start.is_multiple_of(size) || !range.end.is_multiple_of(size) {
            // A piece that starts or ends inside an element.
            let whole = range.start - range.start % size..range.end.next_multiple_of(size);
            let mut scratch = vec![0; (whole.end - whole.start) as usize];
            self.fill(whole.clone(), &mut scratch);
            out.copy_from_slice(&scratch[(range.start - whole.start) as usize..][..out.len()]);
            return;
        }
        let [nz, ny, nx] = self.axes.each_ref().map(|axis| axis.length);
        let (mut at, end) = ((range.start / size) as usize, (range.end / size) as usize);
        let mut rest = out;
        let mut open: Option<(usize, View<'_>)> = None;
        while at < end {
            let (row, x) = (at / nx, at % nx);
            let n = (nx - x).min(end - at);
            let (y, z, index) = (row % ny, row / ny % nz, row / (ny * nz));
            let (piece, after) = rest.split_at_mut(n * self.size);
            let image = match open.take() {
                Some((i, image)) if i == index => image,
                _ => self.image.clone().item(self.lead, self.images.start + index).pad_rank(3),
            };
            let line = image.clone().item(2, self.axes[0].at(z) * image.shape()[1] + self.axes[1].at(y));
            match &self.axes[2].source {
                Source::Range(whole) => line.narrow(0, whole.start + x..whole.start + x + n).copy_to_bytes(piece),
                Source::List(list) => {
                    for (element, &i) in piece.chunks_exact_mut(self.size).zip(&list[x..x + n]) {
                        line.clone().narrow(0, i..i + 1).copy_to_bytes(element);
                    }
                }
            }
            open = Some((index, image));
            rest = after;
            at += n;
        }
    }
}
