//! The kernels that can be named, and those read from files.

use std::path::Path;

use ndarray::{ArrayD, IxDyn};
use unisono::{AsOperand, Dtype, Operand};

use crate::erased::with_dtype;
use crate::failure::{Failure, Result};
use crate::npy::{Npy, to_vec};

/// A kernel or a bank of them.
pub struct Kernel {
    values: Values,
    shape: Vec<usize>,
    /// The weights down and along whose product it is, if it is known to be one.
    factors: Option<[Vec<f64>; 2]>,
}

enum Values {
    /// Weights by formula; whether all of them are small integers.
    Named(Vec<f64>, bool),
    File(Box<Npy>),
}

/// The kernel in the dtype that a convolution takes it in.
pub enum Typed<'a> {
    I8(ArrayD<i8>),
    F32(ArrayD<f32>),
    F64(ArrayD<f64>),
    File(&'a Npy),
}

const EXPECTED: &str =
    "expected gaussian:SIGMA, box:WIDTH, sharpen, sobel-x, sobel-y, prewitt-x, prewitt-y, laplace, identity or a .npy file";

/// The widest kernel that a name can ask for.
const WIDEST: usize = 4097;

impl Kernel {
    /// Reads a name or a file.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let named = |values: &[f64], integer| {
            let side = values.len().isqrt();
            Ok(Self { values: Values::Named(values.to_vec(), integer), shape: vec![side, side], factors: None })
        };
        let product = |down: &[f64], along: &[f64], integer| {
            let values: Vec<f64> = down.iter().flat_map(|y| along.iter().map(move |x| y * x)).collect();
            let shape = vec![down.len(), along.len()];
            Ok(Self { values: Values::Named(values, integer), shape, factors: Some([down.to_vec(), along.to_vec()]) })
        };
        match (name, value) {
            ("identity", "") => product(&[1.0], &[1.0], true),
            ("sharpen", "") => named(&[0., -1., 0., -1., 5., -1., 0., -1., 0.], true),
            ("laplace", "") => named(&[0., 1., 0., 1., -4., 1., 0., 1., 0.], true),
            // Reversed by the convolution: positive where brightness grows to the right, or downwards.
            ("sobel-x", "") => product(&[1., 2., 1.], &[1., 0., -1.], true),
            ("sobel-y", "") => product(&[1., 0., -1.], &[1., 2., 1.], true),
            ("prewitt-x", "") => product(&[1., 1., 1.], &[1., 0., -1.], true),
            ("prewitt-y", "") => product(&[1., 0., -1.], &[1., 1., 1.], true),
            ("gaussian", _) => {
                let sigma =
                    value.parse::<f64>().ok().filter(|&s| s > 0.0 && 8.0 * s + 1.0 <= WIDEST as f64).ok_or_else(|| {
                        Failure::usage(format!(
                            "kernel {text:?}: got sigma {value:?}, expected a number above 0 and below {}",
                            WIDEST / 8
                        ))
                    })?;
                let line = gaussian_line(sigma);
                product(&line, &line, false)
            }
            ("box", _) => {
                let width = value.parse::<usize>().ok().filter(|n| (1..=WIDEST).contains(n)).ok_or_else(|| {
                    Failure::usage(format!("kernel {text:?}: got width {value:?}, expected a whole number from 1 to {WIDEST}"))
                })?;
                let values = Values::Named(vec![1.0 / (width * width) as f64; width * width], false);
                let line = vec![1.0 / width as f64; width];
                Ok(Self { values, shape: vec![width, width], factors: Some([line.clone(), line]) })
            }
            _ if Path::new(text).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy")) => {
                let npy = Npy::open(Path::new(text))?;
                if npy.shape().len() < 2 {
                    return Err(Failure::usage(format!(
                        "kernel {text}: got shape {:?}, expected [height, width] or a bank",
                        npy.shape()
                    )));
                }
                Ok(Self { shape: npy.shape().to_vec(), values: Values::File(Box::new(npy)), factors: None })
            }
            _ => Err(Failure::usage(format!("kernel {text:?} is not known; {EXPECTED}"))),
        }
    }

    /// Its shape: height and width last.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The weights down and along, if the kernel is known to be their product and has a centre.
    pub fn factors(&self) -> Option<&[Vec<f64>; 2]> {
        self.factors.as_ref().filter(|factors| factors.iter().all(|line| line.len() % 2 == 1))
    }

    /// The kernel for exact results where it is whole-numbered, else in the image's precision.
    pub fn exact(&self, image: Dtype) -> Result<Typed<'_>> {
        match &self.values {
            Values::Named(values, true) if !image.is_float() => {
                array(&self.shape, values.iter().map(|&x| x as i8).collect()).map(Typed::I8)
            }
            Values::Named(values, _) if narrow(image) => {
                array(&self.shape, values.iter().map(|&x| x as f32).collect()).map(Typed::F32)
            }
            Values::Named(values, _) => array(&self.shape, values.clone()).map(Typed::F64),
            Values::File(npy) => Ok(Typed::File(npy)),
        }
    }

    /// The kernel as floats, whose results are rounded and saturated where they have to fit a picture.
    pub fn float(&self, image: Dtype) -> Result<Typed<'_>> {
        let values: Vec<f64> = match &self.values {
            Values::Named(values, _) => values.clone(),
            Values::File(npy) if npy.dtype().is_float() => return Ok(Typed::File(npy)),
            Values::File(npy) => {
                with_dtype!(npy.dtype(), T => to_vec(&npy.typed::<T>()?).into_iter().map(ToF64::to_f64).collect())
            }
        };
        // A named kernel is rounded to the image's precision; a file's integers only if that loses nothing.
        let loses = matches!(self.values, Values::File(_)) && values.iter().any(|&x| x as f32 as f64 != x);
        if narrow(image) && !loses {
            return array(&self.shape, values.into_iter().map(|x| x as f32).collect()).map(Typed::F32);
        }
        array(&self.shape, values).map(Typed::F64)
    }
}

impl Typed<'_> {
    /// The kernel as an operand.
    pub fn operand(&self) -> Result<Operand<'_>> {
        Ok(match self {
            Self::I8(array) => array.as_operand(),
            Self::F32(array) => array.as_operand(),
            Self::F64(array) => array.as_operand(),
            Self::File(npy) => npy.operand()?,
        })
    }
}

/// Whether binary32 holds every value of the dtype.
fn narrow(dtype: Dtype) -> bool {
    dtype.size() <= 2 || dtype == Dtype::F32
}

fn array<T>(shape: &[usize], values: Vec<T>) -> Result<ArrayD<T>> {
    ArrayD::from_shape_vec(IxDyn(shape), values).map_err(|error| Failure::work(format!("kernel of shape {shape:?}: {error}")))
}

/// The Gaussian out to four sigma, as `scipy.ndimage.gaussian_filter` truncates it, with sum 1.
pub fn gaussian(sigma: f64) -> Vec<f64> {
    let line = gaussian_line(sigma);
    line.iter().flat_map(|y| line.iter().map(move |x| y * x)).collect()
}

/// Its factor along either axis.
fn gaussian_line(sigma: f64) -> Vec<f64> {
    let radius = (4.0 * sigma + 0.5) as i32;
    let line: Vec<f64> = (-radius..=radius).map(|x| (-0.5 * (x as f64 / sigma).powi(2)).exp()).collect();
    let sum: f64 = line.iter().sum();
    line.iter().map(|x| x / sum).collect()
}

/// The value as binary64.
trait ToF64 {
    fn to_f64(self) -> f64;
}
macro_rules! to_f64 {
    ($($T:ty)*) => {$(impl ToF64 for $T {
        fn to_f64(self) -> f64 { self as f64 }
    })*};
}
to_f64!(u8 i8 u16 i16 u32 i32 u64 i64 f32 f64);
impl ToF64 for bool {
    fn to_f64(self) -> f64 {
        self.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn named_kernels_have_their_sums() {
        for (text, side, sum) in [
            ("gaussian:2", 17, 1.0),
            ("gaussian:0.3", 3, 1.0),
            ("box:5", 5, 1.0),
            ("sharpen", 3, 1.0),
            ("laplace", 3, 0.0),
            ("sobel-x", 3, 0.0),
            ("prewitt-y", 3, 0.0),
        ] {
            let kernel = Kernel::parse(text).unwrap();
            assert_eq!(kernel.shape(), [side, side]);
            let Values::Named(values, _) = &kernel.values else { panic!() };
            assert!((values.iter().sum::<f64>() - sum).abs() < 1e-14, "{text}");
        }
    }

    #[test]
    fn unknown_kernels_are_refused() {
        for text in [
            "",
            "gauss",
            "gaussian",
            "gaussian:0",
            "gaussian:-1",
            "gaussian:nan",
            "gaussian:1e9",
            "box:0",
            "box:2.5",
            "sharpen:2",
        ] {
            assert!(matches!(Kernel::parse(text), Err(Failure::Usage(message)) if message.contains("expected")), "{text}");
        }
    }
}
