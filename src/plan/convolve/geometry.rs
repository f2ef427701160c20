//! Lengths and places along each axis: modes, centres, origins, strides, dilations, channels.

use super::{Convolve, Direction, Mode};
use crate::{Error, Result};

/// Effective lengths of dilated kernels stay below this, so that positions fit 32 bits on every device.
const MOST_SPREAD: usize = 1 << 29;

/// One spatial axis of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    /// The length of the image.
    pub image: usize,
    /// The length of the kernel with its dilation.
    pub kernel: usize,
    /// The length of the output.
    pub output: usize,
    /// Where, in the image, tap 0 of output 0 reads.
    pub start: isize,
    /// Elements from one output to the next; no longer than all outputs without it.
    pub stride: usize,
    /// Elements from one tap to the next; 1 for a single tap.
    pub dilation: usize,
}

/// One value for each of three spatial axes, from one for all or one per axis of the rank; `default` for missing axes.
pub(super) fn per_axis<T: Copy>(what: &str, values: &[T], rank: usize, default: T) -> Result<[T; 3]> {
    let mut padded = [default; 3];
    match values {
        [one] => padded[3 - rank..].fill(*one),
        _ if values.len() == rank => padded[3 - rank..].copy_from_slice(values),
        _ => {
            let expected = if rank == 1 { "1".into() } else { format!("1 or {rank}") };
            return Err(Error::invalid(what, format!("{} of them", values.len()), expected));
        }
    }
    Ok(padded)
}

/// The axes of a convolution of one image with one kernel.
pub(super) fn axes(how: &Convolve, direction: Direction, image: [usize; 3], kernel: [usize; 3]) -> Result<[Axis; 3]> {
    let origins = per_axis("origins", &how.origin, how.rank, 0)?;
    let strides = per_axis("strides", &how.stride, how.rank, 1)?;
    let dilations = per_axis("dilations", &how.dilation, how.rank, 1)?;
    if how.mode != Mode::Same && origins != [0; 3] {
        let given = format!("{:?} in {} mode", &origins[3 - how.rank..], how.mode);
        return Err(Error::invalid("origin", given, "0: an origin shifts the centre of same mode"));
    }
    let mut axes = [Axis { image: 1, kernel: 1, output: 1, start: 0, stride: 1, dilation: 1 }; 3];
    for (at, axis) in axes.iter_mut().enumerate() {
        let (n, stride, origin) = (image[at], strides[at], origins[at]);
        if stride == 0 {
            return Err(Error::invalid("stride", stride, "at least 1"));
        }
        let dilation = if kernel[at] == 1 && dilations[at] > 0 { 1 } else { dilations[at] };
        let spread = (kernel[at] - 1).checked_mul(dilation).and_then(|k| k.checked_add(1));
        let k = match spread {
            Some(k) if dilation > 0 && (dilation == 1 || k < MOST_SPREAD) => k,
            _ => {
                let expected = format!("at least 1, and taps that span less than {MOST_SPREAD} elements");
                return Err(Error::invalid("dilation", format!("{dilation} for {} taps", kernel[at]), expected));
            }
        };
        let half = (k / 2) as isize;
        let most = ((k - 1) / 2) as isize;
        if !(-half..=most).contains(&origin) {
            let expected = format!("{}..={most} for a kernel of length {k}", -half);
            return Err(Error::invalid("origin", origin, expected));
        }
        let (length, start) = match how.mode {
            Mode::Full => (n + k - 1, 1 - k as isize),
            Mode::Same => {
                let centre = how.centre.element(k, direction) as isize + origin;
                let last = k as isize - 1;
                (n, if direction == Direction::Convolve { centre - last } else { -centre })
            }
            Mode::Valid => (n.abs_diff(k) + 1, n.min(k) as isize - k as isize),
        };
        let stride = stride.min(length);
        *axis = Axis { image: n, kernel: k, output: length.div_ceil(stride), start, stride, dilation };
    }
    Ok(axes)
}

/// The leading axes without the channels, and the channels that one output sums over.
pub(super) fn split_channels(
    groups: usize,
    (image_shape, mut image_lead): (&[usize], Vec<usize>),
    (kernel_shape, mut kernel_lead): (&[usize], Vec<usize>),
) -> Result<(Vec<usize>, Vec<usize>, usize)> {
    let (all, channels) = (image_lead.pop().unwrap_or(1), kernel_lead.pop().unwrap_or(1));
    let kernels: usize = kernel_lead.iter().product();
    if groups == 0 || !all.is_multiple_of(groups) {
        return Err(Error::invalid("groups", groups, format!("a divisor of the {all} channels of images {image_shape:?}")));
    }
    if channels != all / groups {
        return Err(Error::invalid(
            "kernel shape",
            format!("{kernel_shape:?}"),
            format!("{} channels: images {image_shape:?} have {all}, in groups: {groups}", all / groups),
        ));
    }
    if !kernels.is_multiple_of(groups) {
        let expected = format!("kernels in a multiple of the groups, {groups}");
        return Err(Error::invalid("kernel shape", format!("{kernel_shape:?}"), expected));
    }
    Ok((image_lead, kernel_lead, channels))
}
