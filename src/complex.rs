//! Convolution of complex numbers with large kernels: of their parts, which every algorithm takes.
//!
//! The parts of the images are two images, those of the kernels two kernels, and of the real convolutions of each with each (which share
//! the transforms) the parts of the results are a sum and a difference.

use std::sync::Arc;

use num_complex::Complex;

use crate::array::{DynArray, HostVec, Operand, Source, Storage};
use crate::plan::{Algorithm, ConvolvePlan};
use crate::{Accuracy, Backend, Convolve, Direction, Dtype, Error, Result};

/// Fewer weights are multiplied as they are, which writes nothing in between.
const MANY: usize = 64;

/// The real convolution that a complex one is made of, if it is made of one.
pub(crate) fn by_parts(plan: &ConvolvePlan, how: &Convolve, images: &Operand<'_>, kernels: &Operand<'_>) -> Option<Convolve> {
    let direct = plan.has_channels || plan.stride != [1; 3] || plan.dilation != [1; 3] || !plan.out_dtype.is_complex();
    let outside = plan.boundary.iter().any(|boundary| boundary.fill() != 0.0 || boundary.fill_imaginary() != 0.0);
    let resident = |operand: &Operand<'_>| matches!(&operand.0, Source::Array(array) if array.is_on_device());
    let taken = match how.algorithm {
        Algorithm::Direct => false,
        Algorithm::Auto => plan.kernel.iter().product::<usize>() >= MANY && !resident(images) && !resident(kernels),
        _ => true,
    };
    let parts = !direct && !outside && how.accuracy == Accuracy::Default && taken;
    parts.then(|| how.clone().out_dtype(plan.out_dtype.real()))
}

/// An operand whose first axis are its parts, if it is complex.
fn apart(operand: &Operand<'_>) -> Result<(DynArray, bool)> {
    let (dtype, shape) = (operand.dtype(), operand.shape().to_vec());
    fn split<T: Copy>(values: &[Complex<T>]) -> Vec<T> {
        values.iter().map(|value| value.re).chain(values.iter().map(|value| value.im)).collect()
    }
    let vec = match operand.to_host()? {
        HostVec::C64(values) => HostVec::F32(split(&values)),
        HostVec::C128(values) => HostVec::F64(split(&values)),
        vec => vec,
    };
    let shape = if dtype.is_complex() { [&[2], &shape[..]].concat() } else { shape };
    Ok((DynArray { dtype: dtype.real(), shape, storage: Storage::Host(Arc::new(vec)) }, dtype.is_complex()))
}

/// Puts the parts of the results together, of real ones `[parts of images, N, parts of kernels, K]` with `inner` kernels and outputs behind
/// each image and part.
fn join<T: Copy + std::ops::Add<Output = T> + std::ops::Sub<Output = T> + std::ops::Neg<Output = T>>(
    values: &[T],
    [of_images, of_kernels]: [bool; 2],
    inner: usize,
    conjugate: bool,
) -> Vec<Complex<T>> {
    let parts = if of_kernels { 2 } else { 1 };
    let half = if of_images { values.len() / 2 } else { 0 };
    let rows = (values.len() - half) / (parts * inner).max(1);
    let mut out = Vec::with_capacity(rows * inner);
    for row in 0..rows {
        for i in row * parts * inner..row * parts * inner + inner {
            let of_kernel = |first: usize| if conjugate { -values[first + i + inner] } else { values[first + i + inner] };
            out.push(match (of_images, of_kernels) {
                (true, true) => Complex::new(values[i] - of_kernel(half), values[half + i] + of_kernel(0)),
                (true, false) => Complex::new(values[i], values[half + i]),
                _ => Complex::new(values[i], of_kernel(0)),
            });
        }
    }
    out
}

impl Backend {
    /// A complex convolution of the plan, made of real ones as `how` says.
    pub(crate) fn convolve_parts(
        &self,
        plan: &ConvolvePlan,
        direction: Direction,
        [images, kernels]: [&Operand<'_>; 2],
        how: &Convolve,
    ) -> Result<DynArray> {
        let ((images, of_images), (kernels, of_kernels)) = (apart(images)?, apart(kernels)?);
        let found = self.run_convolve(direction, &images.operand(), &kernels.operand(), how)?;
        let inner = plan.kernel_count() * plan.output.iter().product::<usize>();
        let conjugate = direction == Direction::Correlate;
        let vec = match found.into_host()? {
            HostVec::F32(values) => HostVec::C64(join(&values, [of_images, of_kernels], inner, conjugate)),
            HostVec::F64(values) => HostVec::C128(join(&values, [of_images, of_kernels], inner, conjugate)),
            other => {
                let expected = "float32 or float64".into();
                return Err(Error::Dtype { what: "parts of complex numbers".into(), got: other.dtype(), expected });
            }
        };
        Ok(DynArray { dtype: plan.out_dtype, shape: plan.shape.clone(), storage: Storage::Host(Arc::new(vec)) })
    }
}

/// The plan of the real convolution that a complex one is made of.
pub(crate) fn plan_parts(direction: Direction, [images, kernels]: [&Operand<'_>; 2], how: &Convolve) -> Result<ConvolvePlan> {
    fn parts(operand: &Operand<'_>) -> (Dtype, Vec<usize>) {
        let lead: &[usize] = if operand.dtype().is_complex() { &[2] } else { &[] };
        (operand.dtype().real(), [lead, operand.shape()].concat())
    }
    let [(image_dtype, images), (kernel_dtype, kernels)] = [images, kernels].map(parts);
    ConvolvePlan::new(how, direction, (image_dtype, &images), (kernel_dtype, &kernels))
}
