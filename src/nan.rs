//! Convolution that passes over NaN: the mean, by the weights, of the elements that are there.
//!
//! Made of two convolutions, of the elements with 0 for NaN and of ones with 0 for NaN, and a division on the host.

use crate::array::{AsOperand, DynArray, HostVec, Operand, Storage};
use crate::plan::{Boundary, Convolve, Separable};
use crate::{Accuracy, Array, Backend, Element, Error, Result};

impl Backend {
    /// [`separable`](Self::separable) that passes over NaN: `Σ k·x / Σ k` over the elements that are no NaN, as astropy's
    /// `convolve` with `nan_treatment="interpolate"`; NaN where there is none. The weights are normalised by that, whatever
    /// their sum. A constant boundary of NaN leaves out what lies outside.
    ///
    /// **Numerics.** Numerator and denominator are within the bound of [`separable`](Self::separable) each; one division.
    ///
    /// # Errors
    /// As [`separable`](Self::separable), and [`Error::Dtype`] for integers.
    pub fn separable_without_nan(&self, array: &Operand<'_>, how: &Separable) -> Result<DynArray> {
        let (values, mask) = fill(array)?;
        let top = self.separable_dyn(&values.operand(), &how.clone().with_boundaries(|boundary| outside(boundary, 0.0)))?;
        let bottom = self.separable_dyn(&mask.operand(), &how.clone().with_boundaries(|boundary| outside(boundary, 1.0)))?;
        divide(top, bottom)
    }

    /// [`convolve`](Self::convolve) that passes over NaN in the images, as
    /// [`separable_without_nan`](Self::separable_without_nan).
    ///
    /// **Numerics.** As there: only algorithms of [`Accuracy::Elementwise`] are used, since others' errors would stand above small
    /// weights.
    ///
    /// # Errors
    /// As [`convolve`](Self::convolve), and [`Error::Dtype`] for images of integers.
    ///
    /// ```
    /// # fn main() -> unisono::Result<()> {
    /// use unisono::{Backend, Convolve};
    /// let y = Backend::cpu().convolve_without_nan(&[1.0, f64::NAN, 4.0], &[1.0, 1.0, 1.0], &Convolve::d1().valid())?;
    /// assert_eq!(y.into_vec()?, [2.5]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn convolve_without_nan<A, K>(&self, images: &A, kernels: &K, how: &Convolve) -> Result<Array<A::Elem>>
    where
        A: AsOperand + ?Sized,
        K: AsOperand<Elem = A::Elem> + ?Sized,
    {
        self.convolve_dyn_without_nan(crate::Direction::Convolve, &images.as_operand(), &kernels.as_operand(), how)?.typed()
    }

    /// [`convolve_without_nan`](Self::convolve_without_nan) or the same of a correlation, with dtypes erased.
    ///
    /// # Errors
    /// As [`convolve_without_nan`](Self::convolve_without_nan).
    pub fn convolve_dyn_without_nan(
        &self,
        direction: crate::Direction,
        images: &Operand<'_>,
        kernels: &Operand<'_>,
        how: &Convolve,
    ) -> Result<DynArray> {
        let (values, mask) = fill(images)?;
        // An error of the size of the largest elements nearby would stand above weights of 0 and small ones.
        let accuracy = if how.accuracy == Accuracy::Default { Accuracy::Elementwise } else { how.accuracy };
        let how = &how.clone().accuracy(accuracy);
        let run = |images: &DynArray, ones: f64| {
            let boundaries: Vec<Boundary> = how.boundary.iter().map(|&boundary| outside(boundary, ones)).collect();
            let how = how.clone().boundaries(&boundaries);
            self.run_convolve(direction, &images.operand(), kernels, &how)
        };
        divide(run(&values, 0.0)?, run(&mask, 1.0)?)
    }
}

/// What lies outside of the elements (`ones` 0) or of their mask (`ones` 1).
fn outside(boundary: Boundary, ones: f64) -> Boundary {
    match boundary {
        Boundary::Constant(value) if value.is_nan() => Boundary::ZERO,
        Boundary::Constant(_) if ones != 0.0 => Boundary::Constant(ones),
        other => other,
    }
}

/// The elements with 0 for NaN, and 1 for every element with 0 for NaN.
fn fill(array: &Operand<'_>) -> Result<(DynArray, DynArray)> {
    let mut values = array.to_host()?;
    let mut mask = HostVec::zeros(array.dtype(), values.len())?;
    match (&mut values, &mut mask) {
        (HostVec::F32(values), HostVec::F32(mask)) => split(values, mask, 1.0),
        (HostVec::F64(values), HostVec::F64(mask)) => split(values, mask, 1.0),
        _ => {
            let expected = "float32 or float64".into();
            return Err(Error::Dtype { what: "array with NaN".into(), got: array.dtype(), expected });
        }
    }
    let wrap =
        |vec: HostVec| DynArray { dtype: array.dtype(), shape: array.shape().to_vec(), storage: Storage::Host(vec.into()) };
    Ok((wrap(values), wrap(mask)))
}

fn split<T: Element + Default>(values: &mut [T], mask: &mut [T], one: T) {
    let set = |(value, mask): (&mut T, &mut T)| {
        // Only NaN differs from itself.
        #[allow(clippy::eq_op)]
        if *value == *value { *mask = one } else { *value = T::default() }
    };
    values.iter_mut().zip(mask).for_each(set);
}

/// The quotients; NaN where the weights of nothing are 0.
fn divide(top: DynArray, bottom: DynArray) -> Result<DynArray> {
    let (dtype, shape) = (top.dtype, top.shape.clone());
    let (mut top, bottom) = (top.into_host()?, bottom.into_host()?);
    match (&mut top, &bottom) {
        (HostVec::F32(top), HostVec::F32(bottom)) => top.iter_mut().zip(bottom).for_each(|(x, &w)| *x /= w),
        (HostVec::F64(top), HostVec::F64(bottom)) => top.iter_mut().zip(bottom).for_each(|(x, &w)| *x /= w),
        _ => return Err(Error::Dtype { what: "result without NaN".into(), got: dtype, expected: "float32 or float64".into() }),
    }
    Ok(DynArray { dtype, shape, storage: Storage::Host(top.into()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Factor;

    #[test]
    fn what_is_missing_has_no_weight() {
        let nan = f64::NAN;
        let backend = Backend::cpu();
        let x = [1.0, nan, 3.0, nan, nan, nan, 7.0];
        let run = |boundary| {
            let how = Separable::new().pass(Factor::correlate(0, [1.0, 2.0, 1.0]).boundary(boundary));
            let found = backend.separable_without_nan(&x.as_operand(), &how).unwrap();
            found.typed::<f64>().unwrap().into_vec().unwrap()
        };
        let found = run(Boundary::Constant(nan));
        assert_eq!((&found[..4], &found[5..]), (&[1.0, 2.0, 3.0, 3.0][..], &[7.0, 7.0][..]));
        assert!(found[4].is_nan());
        assert_eq!(run(Boundary::Constant(4.0))[0], (4.0 + 2.0) / 3.0);
        assert_eq!(run(Boundary::Wrap)[0], (7.0 + 2.0) / 3.0);
        assert!(backend.separable_without_nan(&[1u8].as_operand(), &Separable::new()).is_err());
    }

    #[test]
    fn images_without_nan_are_averaged() {
        let image = ndarray::Array2::from_shape_fn((6, 7), |(y, x)| (y * 7 + x) as f32);
        let kernel = ndarray::Array2::from_elem((3, 3), 2.0f32);
        let how = Convolve::d2().valid();
        let found = Backend::cpu().convolve_without_nan(&image, &kernel, &how).unwrap().into_ndarray::<ndarray::Ix2>().unwrap();
        assert_eq!(found, image.slice(ndarray::s![1..5, 1..6]));
    }
}
