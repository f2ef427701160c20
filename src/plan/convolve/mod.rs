//! Convolution and correlation: shapes, modes, boundaries, exactness by range analysis, cutting into parts.

mod accuracy;
mod boundary;
pub(crate) mod candidates;
mod geometry;
#[cfg(feature = "gpu")]
pub(crate) mod integer_rank;
pub(crate) mod low_rank;
mod options;
mod overflow;
mod parts;
#[cfg(test)]
mod tests;

use std::ops::Range;

pub use accuracy::Accuracy;
pub use boundary::{Boundary, Centre, Mode};
pub use options::{Algorithm, Convolve, Direction};
pub use overflow::Overflow;
pub(crate) use parts::Parts;

use crate::{Dtype, Error, Result};

/// The arithmetic of one convolution, the cheapest that is exact for integers ([`ConvolvePlan::accumulator`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Accumulator {
    /// Binary32, one fused multiply-add per tap in row-major order. For integers below 2^24: exact.
    F32,
    /// 32-bit integers.
    I32,
    /// Binary64. For integers below 2^53: exact.
    F64,
    /// 64-bit integers.
    I64,
    /// Integers of any size the taps can reach (at least 160 bits, or 128 where they suffice).
    Wide,
}

/// One convolution, ready for an engine. Everything is a correlation here:
///
/// `out[n, k, o] = Σ_c Σ_t w_k,c[t] · x̃_n,c[stride · o + dilation · t + start]` with `x̃_n,c` channel `c` of image `n` extended
/// by the boundary and `w_k,c` that of kernel `k`, read backwards along every spatial axis if
/// [`reversed`](Self::reversed). Kernel `k` reads the channels from [`channels`](Self::channels) `· (k div (K div groups))` on.
///
/// Spatial arrays always have three axes here (`[depth, height, width]`, missing ones of length 1). The ranges say
/// which part of the result is to be computed; a plan is born whole and is cut by [`part`](Self::part).
#[derive(Debug, Clone, PartialEq)]
pub struct ConvolvePlan {
    /// Spatial rank as the user sees it: 1, 2 or 3.
    pub rank: usize,
    /// Convolution or correlation, for messages.
    pub direction: Direction,
    /// Dtype of the images.
    pub image_dtype: Dtype,
    /// Dtype of the kernels.
    pub kernel_dtype: Dtype,
    /// Dtype of the result.
    pub out_dtype: Dtype,
    /// How near the exact value float results must be.
    pub accuracy: Accuracy,
    /// Lengths of the image's leading axes (`[N..]`), without the channels.
    pub image_lead: Vec<usize>,
    /// Lengths of the kernel's leading axes (`[K..]`), without the channels.
    pub kernel_lead: Vec<usize>,
    /// Whether both operands have an axis of channels between the leading and the spatial ones.
    pub has_channels: bool,
    /// Channels that one output sums over.
    pub channels: usize,
    /// Runs of kernels, each with channels of its own; images have `groups · channels` of them.
    pub groups: usize,
    /// Spatial lengths of an image.
    pub image: [usize; 3],
    /// Spatial lengths of a kernel.
    pub kernel: [usize; 3],
    /// Spatial lengths of an output.
    pub output: [usize; 3],
    /// Where, in the image, tap 0 of output 0 reads.
    pub start: [isize; 3],
    /// Elements of the image from one output to the next.
    pub stride: [usize; 3],
    /// Elements of the image from one tap to the next.
    pub dilation: [usize; 3],
    /// The boundary of each axis.
    pub boundary: [Boundary; 3],
    /// Whether the kernel is read backwards along its spatial axes.
    pub reversed: bool,
    /// How the sums are formed. With [`Algorithm::Auto`] a device chooses, by the whole plan: its parts choose the same.
    pub algorithm: Algorithm,
    /// What becomes of an exact integer that the result's dtype does not hold.
    pub overflow: Overflow,
    /// The shape of the whole result: `[N.., K.., spatial..]`.
    pub shape: Vec<usize>,
    /// Images of this part, of `image_count()`.
    pub images: Range<usize>,
    /// Kernels of this part, of `kernel_count()`.
    pub kernels: Range<usize>,
    /// Output rows of this part: a range along the first spatial axis that is longer than 1 (see [`row_axis`](Self::row_axis)).
    pub rows: Range<usize>,
}

impl ConvolvePlan {
    /// Checks the operands' shapes and dtypes against `how`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the rank is not 1, 2 or 3, an operand has fewer axes than that, an operand is empty, there are
    /// neither one nor `rank` boundaries, origins, strides or dilations, one of those is out of its range, the channels do
    /// not match the groups, `valid` is asked for operands of which neither contains the other, the boundary's constant is
    /// no value of an integer image's dtype, or an integer result of floats is to wrap.
    pub fn new(
        how: &Convolve,
        direction: Direction,
        (image_dtype, image_shape): (Dtype, &[usize]),
        (kernel_dtype, kernel_shape): (Dtype, &[usize]),
    ) -> Result<Self> {
        let rank = how.rank;
        if !(1..=3).contains(&rank) {
            return Err(Error::invalid("convolution rank", rank, "1, 2 or 3"));
        }
        let least = rank + usize::from(how.groups.is_some());
        for (what, shape) in [("image", image_shape), ("kernel", kernel_shape)] {
            if shape.len() < least {
                let grouped = if how.groups.is_some() { " in groups of channels" } else { "" };
                return Err(Error::invalid(
                    format!("{what} shape"),
                    format!("{shape:?}"),
                    format!("at least {least} axes for a {rank}-d convolution{grouped}"),
                ));
            }
            if shape[shape.len() - least..].contains(&0) {
                let axes = if how.groups.is_some() { "channels and spatial axes" } else { "spatial axes" };
                return Err(Error::invalid(format!("{what} shape"), format!("{shape:?}"), format!("{axes} longer than 0")));
            }
        }
        let mut boundary = geometry::per_axis("boundaries", &how.boundary, rank, Boundary::ZERO)?;
        for b in boundary {
            let fill = b.fill();
            if matches!(b, Boundary::ConstantComplex(..)) && !image_dtype.is_complex() {
                return Err(Error::invalid("boundary value", b, format!("a real number: the images are {image_dtype}")));
            }
            if let Some((lo, hi)) = image_dtype.integer_range()
                && (fill.fract() != 0.0 || !(lo as f64 <= fill && fill <= hi as f64) || fill as i128 > hi)
            {
                return Err(Error::invalid("boundary value", fill, format!("a value of {image_dtype}, the image's dtype")));
            }
        }
        let integers = !image_dtype.is_float() && !kernel_dtype.is_float();
        if !integers && how.accuracy != Accuracy::Default && !matches!(how.algorithm, Algorithm::Auto | Algorithm::Direct) {
            return Err(Error::invalid("algorithm", how.algorithm, format!("direct or auto for {} accuracy", how.accuracy)));
        }
        let out_dtype = how.out_dtype.unwrap_or(image_dtype.promote(kernel_dtype));
        if out_dtype.is_complex() != (image_dtype.is_complex() || kernel_dtype.is_complex()) {
            let expected =
                if out_dtype.is_complex() { "a real dtype: both operands are real" } else { "complex64 or complex128" };
            return Err(Error::invalid("out_dtype", format!("{out_dtype} for {image_dtype} and {kernel_dtype}"), expected));
        }
        if how.overflow == Overflow::Wrap
            && (image_dtype.is_float() || kernel_dtype.is_float())
            && out_dtype.integer_range().is_some()
        {
            return Err(Error::invalid(
                "overflow",
                format!("{} for {image_dtype} and {kernel_dtype}", how.overflow),
                "error or saturate: floats are rounded and saturated",
            ));
        }
        let (image_lead, image) = split_lead(image_shape, rank);
        let (kernel_lead, kernel) = split_lead(kernel_shape, rank);
        let (image_lead, kernel_lead, channels) = match how.groups {
            None => (image_lead, kernel_lead, 1),
            Some(groups) => geometry::split_channels(groups, (image_shape, image_lead), (kernel_shape, kernel_lead))?,
        };
        let axes = geometry::axes(how, direction, image, kernel)?;
        if how.mode == Mode::Valid {
            let covers = |a: fn(&geometry::Axis) -> (usize, usize)| axes.iter().map(a).all(|(a, b)| a >= b);
            if !covers(|axis| (axis.image, axis.kernel)) && !covers(|axis| (axis.kernel, axis.image)) {
                let spatial = |shape: &[usize]| format!("{:?}", &shape[shape.len() - rank..]);
                let spread = if axes.iter().any(|axis| axis.dilation > 1) { ", dilation included," } else { "" };
                return Err(Error::invalid(
                    "shapes in valid mode",
                    format!("image {} and kernel {}", spatial(image_shape), spatial(kernel_shape)),
                    format!("one of them{spread} at least as large as the other along every axis"),
                ));
            }
            boundary = [Boundary::ZERO; 3];
        }
        let output = axes.map(|axis| axis.output);
        let shape = [&image_lead, &kernel_lead, &output[3 - rank..]].concat();
        let plan = Self {
            rank,
            direction,
            image_dtype,
            kernel_dtype,
            out_dtype,
            accuracy: how.accuracy,
            images: 0..image_lead.iter().product(),
            kernels: 0..kernel_lead.iter().product(),
            image_lead,
            kernel_lead,
            has_channels: how.groups.is_some(),
            channels,
            groups: how.groups.unwrap_or(1),
            image,
            kernel,
            output,
            start: axes.map(|axis| axis.start),
            stride: axes.map(|axis| axis.stride),
            dilation: axes.map(|axis| axis.dilation),
            boundary,
            reversed: direction == Direction::Convolve,
            algorithm: how.algorithm,
            overflow: how.overflow,
            shape,
            rows: 0..0,
        };
        let bytes = plan.shape.iter().try_fold(plan.out_dtype.size(), |acc, &n| acc.checked_mul(n));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Err(Error::invalid("result shape", format!("{:?}", plan.shape), "a result that fits the address space"));
        }
        Ok(Self { rows: 0..plan.output[plan.row_axis()], ..plan })
    }

    /// Whether every output is one real image with one real kernel, its taps and the outputs side by side: no channels,
    /// stride, dilation or complex numbers.
    pub fn is_plain(&self) -> bool {
        !self.has_channels && self.stride == [1; 3] && self.dilation == [1; 3] && !self.out_dtype.is_complex()
    }

    /// The shape of the images: `[N.., C, spatial..]`.
    pub fn image_shape(&self) -> Vec<usize> {
        let channels = if self.has_channels { vec![self.groups * self.channels] } else { vec![] };
        [&self.image_lead, &channels, &self.image[3 - self.rank..]].concat()
    }

    /// The shape of the kernels: `[K.., C / groups, spatial..]`.
    pub fn kernel_shape(&self) -> Vec<usize> {
        let channels = if self.has_channels { vec![self.channels] } else { vec![] };
        [&self.kernel_lead, &channels, &self.kernel[3 - self.rank..]].concat()
    }

    /// The number of images of the whole plan.
    pub fn image_count(&self) -> usize {
        self.image_lead.iter().product()
    }

    /// The number of kernels of the whole plan.
    pub fn kernel_count(&self) -> usize {
        self.kernel_lead.iter().product()
    }

    /// The spatial axis (of three) along which [`rows`](Self::rows) runs: the first one of length above 1, or the last.
    pub fn row_axis(&self) -> usize {
        self.output.iter().position(|&n| n > 1).unwrap_or(2)
    }

    /// The spatial lengths of one output of this part.
    pub fn part_output(&self) -> [usize; 3] {
        let mut output = self.output;
        output[self.row_axis()] = self.rows.len();
        output
    }

    /// Outputs in this part.
    pub fn outputs(&self) -> usize {
        self.images.len() * self.kernels.len() * self.part_output().iter().product::<usize>()
    }

    /// Multiply-adds of real numbers of this part: the unit of its progress and of its cost.
    pub fn work(&self) -> u64 {
        let taps = self.sum_channels() * self.kernel.iter().product::<usize>();
        (self.outputs() as u64).saturating_mul((self.out_dtype.parts() * taps) as u64)
    }

    /// [`work`](Self::work) of the whole plan.
    #[cfg(feature = "gpu")]
    pub(crate) fn whole_work(&self) -> u64 {
        let taps = self.sum_channels() * self.kernel.iter().product::<usize>();
        let numbers = self.shape.iter().product::<usize>() as u64;
        numbers.saturating_mul((self.out_dtype.parts() * taps) as u64)
    }

    /// The same plan for a part of its result.
    pub fn part(&self, images: Range<usize>, kernels: Range<usize>, rows: Range<usize>) -> Self {
        debug_assert!(
            images.end <= self.image_count() && kernels.end <= self.kernel_count() && rows.end <= self.output[self.row_axis()]
        );
        Self { images, kernels, rows, ..self.clone() }
    }

    /// Cuts this part into up to `weights.len()` parts whose work is in proportion to the weights: by kernels or images
    /// if there are enough of them, else by rows. Every output is in exactly one part; empty parts are kept in place.
    pub fn split(&self, weights: &[f64]) -> Vec<Self> {
        let enough = 4 * weights.len();
        if self.images.len() >= enough || (self.images.len() >= self.kernels.len() && self.images.len() >= weights.len()) {
            let cuts = crate::plan::cut(&self.images, weights);
            cuts.into_iter().map(|images| Self { images, ..self.clone() }).collect()
        } else if self.kernels.len() >= weights.len() {
            let cuts = crate::plan::cut(&self.kernels, weights);
            cuts.into_iter().map(|kernels| Self { kernels, ..self.clone() }).collect()
        } else {
            let cuts = crate::plan::cut(&self.rows, weights);
            cuts.into_iter().map(|rows| Self { rows, ..self.clone() }).collect()
        }
    }

    /// Whether both operands are integers, so that the result is computed exactly and rounded or narrowed once.
    pub fn is_integer(&self) -> bool {
        !self.image_dtype.is_float() && !self.kernel_dtype.is_float()
    }

    /// Whether an operand is a float and the result is to be exact all the same ([`Accuracy::Exact`]).
    pub fn is_exact_float(&self) -> bool {
        self.accuracy == Accuracy::Exact && !self.is_integer()
    }

    /// The arithmetic to use. For integer operands give `reach`, the largest possible `|Σ w·x|`
    /// (`max|x| · max_k Σ|w_k|`, saturating, boundary value included): the cheapest arithmetic that is exact, or exact
    /// modulo 2^32 or 2^64 where results wrap to no more bits.
    pub fn accumulator(&self, reach: u128) -> Accumulator {
        if !self.is_integer() {
            let promoted = self.image_dtype.promote(self.kernel_dtype).real();
            let wide = promoted == Dtype::F64 || self.out_dtype.real() == Dtype::F64;
            return if wide { Accumulator::F64 } else { Accumulator::F32 };
        }
        // What wraps needs no more bits than the result has.
        let enough = match self.out_dtype.size() {
            _ if !self.wraps() => u128::MAX,
            0..=4 => i32::MAX as u128,
            _ => i64::MAX as u128,
        };
        match reach.min(enough) {
            0..=0xff_ffff => Accumulator::F32,
            0x100_0000..=0x7fff_ffff => Accumulator::I32,
            0x8000_0000..=0x1f_ffff_ffff_ffff => Accumulator::F64,
            0x20_0000_0000_0000..=0x7fff_ffff_ffff_ffff => Accumulator::I64,
            _ => Accumulator::Wide,
        }
    }

    /// Whether integer results are taken modulo the range of their dtype.
    fn wraps(&self) -> bool {
        self.overflow == Overflow::Wrap && self.out_dtype != Dtype::Bool && self.out_dtype.integer_range().is_some()
    }

    /// Whether every result of this reach fits the result's dtype or wraps, so that nothing has to be checked.
    pub fn always_fits(&self, reach: u128) -> bool {
        self.wraps() || self.fits(reach)
    }

    /// Whether every result of this reach fits the result's dtype.
    pub(crate) fn fits(&self, reach: u128) -> bool {
        match self.out_dtype.integer_range() {
            None => true,
            _ if self.out_dtype == Dtype::Bool => true,
            Some((0, hi)) => {
                reach <= hi as u128
                    && self.image_dtype.integer_range().is_some_and(|r| r.0 == 0)
                    && self.kernel_dtype.integer_range().is_some_and(|r| r.0 == 0)
            }
            Some((_, hi)) => reach <= hi as u128,
        }
    }

    /// The name for messages.
    pub fn name(&self) -> &'static str {
        match self.direction {
            Direction::Convolve => "convolve",
            Direction::Correlate => "correlate",
        }
    }
}

/// The leading lengths and the spatial ones, padded to three.
fn split_lead(shape: &[usize], rank: usize) -> (Vec<usize>, [usize; 3]) {
    let (lead, spatial) = shape.split_at(shape.len() - rank);
    let mut padded = [1; 3];
    padded[3 - rank..].copy_from_slice(spatial);
    (lead.to_vec(), padded)
}
