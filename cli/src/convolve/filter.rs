//! One file's convolution: a picture channel by channel, an array as a batch of images.

use std::path::Path;

use ndarray::{ArrayView3, ArrayViewMut3, s};
use unisono::{
    Accuracy, Algorithm, AsOperand, AsOutput, Backend, Boundary, Convolve, ConvolvePlan, Direction, Dtype, Element, Factor,
    HostVec, Mode, Operand, Output, Overflow, Separable,
};

use crate::args::Nan;
use crate::erased::with_vec;
use crate::failure::{Failure, Result};
use crate::image_io::{self, Format, Picture};
use crate::kernels::Kernel;
use crate::npy::Npy;
use crate::output::say;

/// What a file holds.
pub enum Content {
    Picture(Picture),
    Array(Npy),
}

/// What is written: a picture, or an array of this shape.
pub enum Filtered {
    Picture(Picture),
    Array(HostVec, Vec<usize>),
}

/// How to filter, for all files.
pub struct Filter {
    pub backend: Backend,
    pub kernel: Kernel,
    pub how: Convolve,
    pub mode: Mode,
    /// No origin, stride or dilation.
    pub plain: bool,
    pub boundary: Boundary,
    pub algorithm: Algorithm,
    pub accuracy: Accuracy,
    pub direction: Direction,
    pub groups: Option<usize>,
    pub overflow: Option<Overflow>,
    pub nan: Nan,
    pub dtype: Option<Dtype>,
    pub explain: bool,
}

impl Filter {
    /// Filters the content of `input` for a file of `format`.
    pub fn run(&self, content: Content, format: Format) -> Result<Filtered> {
        self.check(&content, format)?;
        match content {
            Content::Picture(picture) => {
                let dtype = match (self.dtype, format) {
                    (Some(dtype), _) => Some(dtype),
                    (None, Format::Npy) => None,
                    (None, _) => Some(picture.values.dtype()),
                };
                with_vec!(&picture.values, values => self.picture(&picture, values, dtype, format))
            }
            Content::Array(npy) => self.array(&npy, format),
        }
    }

    /// Refuses what pictures have not.
    fn check(&self, content: &Content, format: Format) -> Result<()> {
        let (from, to) = (matches!(content, Content::Picture(_)), format != Format::Npy);
        if !from && !to {
            return Ok(());
        }
        let refused = |option: &str, got: String, expected: &str| {
            Err(Failure::usage(format!("{option}: got {got} for a picture, expected {expected}")))
        };
        match (self.groups, self.nan, self.overflow) {
            (Some(groups), ..) => refused("--groups", groups.to_string(), ".npy arrays: each channel of a picture is an image"),
            (_, Nan::Ignore, _) => refused("--nan", "ignore".into(), ".npy arrays of floats"),
            (.., Some(policy @ (Overflow::Error | Overflow::Wrap))) if to || self.dtype.is_some() => {
                refused("--overflow", policy.to_string(), "saturate: its results are rounded and saturated")
            }
            _ => Ok(()),
        }
    }

    /// Says what is found out about the work, if that is wanted. What is wrong with it, the work itself will say.
    fn explain(&self, explanation: impl FnOnce() -> unisono::Result<String>) {
        if self.explain
            && let Ok(text) = explanation()
        {
            say(text);
        }
    }

    fn direct(&self, images: &Operand<'_>, kernels: &Operand<'_>, how: &Convolve, out: Output<'_>) -> unisono::Result<()> {
        self.explain(|| self.backend.explain_convolve(images, kernels, &how.clone().out_dtype(out.dtype())));
        self.backend.convolve_dyn_into(self.direction, images, kernels, how, out)
    }

    /// The passes down and along, where the kernel is a product and pictures keep their size.
    fn passes(&self) -> Option<Separable> {
        let [down, along] = self.kernel.factors()?;
        let chosen = matches!(self.algorithm, Algorithm::Auto | Algorithm::Separable) && self.accuracy == Accuracy::Default;
        let chosen = chosen && self.plain;
        if self.mode != Mode::Same || !chosen {
            return None;
        }
        let factor = |axis: isize, weights: &[f64]| match self.direction {
            Direction::Convolve => Factor::convolve(axis, weights),
            Direction::Correlate => Factor::correlate(axis, weights),
        };
        let passes = [(0, down), (1, along)].map(|(axis, weights)| factor(axis, weights).boundary(self.boundary));
        Some(passes.into_iter().fold(Separable::new(), Separable::pass))
    }

    /// Every colour channel is an image of the batch: strided windows on the interleaved pixels, in and out.
    fn picture<T: Element>(&self, picture: &Picture, values: &[T], dtype: Option<Dtype>, format: Format) -> Result<Filtered> {
        let Picture { height, width, channels, alpha, .. } = *picture;
        let [.., kh, kw] = *self.kernel.shape() else { return Err(Failure::work("a kernel without two axes")) };
        if self.kernel.shape().len() > 2 {
            return Err(Failure::usage(
                "a bank of kernels gives several results per picture; put the pictures into a .npy array",
            ));
        }
        let image = T::DTYPE;
        let whole = dtype.is_none() && format == Format::Npy;
        let kernel = if whole { self.kernel.exact(image)? } else { self.kernel.float(image)? };
        let kernel = kernel.operand()?;
        let dtype = dtype.unwrap_or(image.promote(kernel.dtype()));
        if let Some(why) = image_io::refuses(format, dtype, channels, alpha) {
            return Err(Failure::work(why));
        }
        let plan = ConvolvePlan::new(&self.how, self.direction, (image, &[height, width]), (kernel.dtype(), &[kh, kw]))?;
        let [h, w] = plan.shape[..] else { return Err(Failure::work("a picture's result without two axes")) };
        let pixels = ArrayView3::from_shape((height, width, channels), values).map_err(Failure::work)?.permuted_axes([2, 0, 1]);
        let colours = channels - usize::from(alpha);
        let mut out = HostVec::zeros(dtype, h * w * channels)?;
        with_vec!(&mut out, out => {
            let out = ArrayViewMut3::from_shape((h, w, channels), out).map_err(Failure::work)?.permuted_axes([2, 0, 1]);
            let (mut colour, mut rest) = out.split_at(ndarray::Axis(0), colours);
            match self.passes() {
                // Interleaved as they lie.
                Some(passes) if !whole => {
                    let (pixels, mut colour) = (pixels.permuted_axes([1, 2, 0]), colour.view_mut().permuted_axes([1, 2, 0]));
                    let pixels = pixels.slice(s![.., .., ..colours]);
                    self.explain(|| {
                        let text = self.backend.explain_separable(&pixels.as_operand(), &passes.clone().out_dtype(dtype))?;
                        Ok(text + "; separable: a pass down and one along")
                    });
                    self.backend.separable_dyn_into(&pixels.as_operand(), &passes, colour.as_output())?;
                }
                _ => self.direct(&pixels.slice(s![..colours, .., ..]).as_operand(), &kernel, &self.how, colour.as_output())?,
            }
            if alpha {
                // Moved along with the picture by a kernel that is one at its centre; transparent where nothing was.
                let (side_h, side_w) = if self.mode == Mode::Same { (1, 1) } else { (kh, kw) };
                let mut delta = ndarray::Array2::<f32>::zeros((side_h, side_w));
                let centre = |n: usize| if self.direction == Direction::Convolve { (n - 1) / 2 } else { n / 2 };
                delta[[centre(side_h), centre(side_w)]] = 1.0;
                let how = self.how.clone().origin(&[0]).overflow(Overflow::Error);
                self.direct(&pixels.slice(s![colours.., .., ..]).as_operand(), &delta.as_operand(), &how, rest.as_output())?;
            }
        });
        if format == Format::Npy {
            let shape = if channels == 1 { vec![h, w] } else { vec![h, w, channels] };
            return Ok(Filtered::Array(out, shape));
        }
        let profile = picture.profile.clone();
        Ok(Filtered::Picture(Picture { values: out, height: h, width: w, channels, alpha, profile }))
    }

    fn array(&self, npy: &Npy, format: Format) -> Result<Filtered> {
        let image = npy.dtype();
        let picture = format != Format::Npy;
        if picture && (npy.shape().len() != 2 || self.kernel.shape().len() != 2) {
            let shape = npy.shape();
            return Err(Failure::work(format!("an array of shape {shape:?} is no single picture; write .npy")));
        }
        let dtype = if picture { self.dtype.or(Some(image)) } else { self.dtype };
        if let (true, Some(why)) = (picture, image_io::refuses(format, dtype.unwrap_or(image), 1, false)) {
            return Err(Failure::work(why));
        }
        let kernel = if picture { self.kernel.float(image)? } else { self.kernel.exact(image)? };
        let how = match dtype {
            Some(dtype) => self.how.clone().out_dtype(dtype),
            None => self.how.clone(),
        };
        let (images, kernels) = (npy.operand()?, kernel.operand()?);
        self.explain(|| self.backend.explain_convolve(&images, &kernels, &how));
        let result = match (self.nan, self.direction) {
            (Nan::Ignore, direction) => self.backend.convolve_dyn_without_nan(direction, &images, &kernels, &how)?,
            (Nan::Propagate, Direction::Convolve) => self.backend.convolve_dyn(&images, &kernels, &how)?,
            (Nan::Propagate, Direction::Correlate) => self.backend.correlate_dyn(&images, &kernels, &how)?,
        };
        let shape = result.shape().to_vec();
        let values = result.into_host()?;
        if !picture {
            return Ok(Filtered::Array(values, shape));
        }
        let [height, width] = shape[..] else { return Err(Failure::work("a picture's result without two axes")) };
        Ok(Filtered::Picture(Picture { values, height, width, channels: 1, alpha: false, profile: None }))
    }
}

/// Reads a file of a known format.
pub fn read(path: &Path) -> Result<Content> {
    match Format::of(path) {
        Some(Format::Npy) => Npy::open(path).map(Content::Array),
        _ => image_io::read(path).map(Content::Picture),
    }
}
