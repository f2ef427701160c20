//! How deeply the fast FIR identity is nested, what that costs, and the kernels of its planes.

use super::nest::Nested;
use super::number::Number;
use super::tile::Group;
use crate::plan::ConvolvePlan;
use crate::{Error, Result};

/// Rows of a cell: a multiple of four, of twice six and of four times six.
pub(super) const CELL_ROWS: usize = 48;
/// What a plane's sums cost beside their taps, in multiply-adds per output of the plane.
const PLANE_TAPS: f64 = 6.0;
/// What an element of a plane costs to make, in multiply-adds.
const PACKED_TAPS: f64 = 30.0;

/// Taps along an axis from which on so many levels can pay.
const LEAST: [usize; 3] = [1, 4, 8];

/// How deeply the identity is nested along `y` and `x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Nest {
    /// Along `y` and `x`.
    pub levels: [u32; 2],
}

impl Nest {
    /// No nesting: one plane, the image.
    pub(super) const FLAT: Self = Self { levels: [0, 0] };

    /// The cheapest nest for a plan; `None` if its kernels are too small for any.
    pub(super) fn choose(plan: &ConvolvePlan) -> Option<Self> {
        let [_, height, width] = plan.kernel;
        let nests = (0..3).flat_map(|y| (0..3).map(move |x| Self { levels: [y, x] }));
        let possible = nests.filter(|nest| {
            let [y, x] = nest.levels.map(|level| LEAST[level as usize]);
            *nest != Self::FLAT && height >= y && width >= x
        });
        let kernels = plan.kernel_count();
        possible.min_by(|a, b| a.cost(plan.kernel, kernels).total_cmp(&b.cost(plan.kernel, kernels)))
    }

    /// Multiply-adds per output, or work worth as much, for a bank of so many kernels.
    pub(super) fn cost(self, kernel: [usize; 3], kernels: usize) -> f64 {
        let ([py, px], [fy, fx]) = (self.planes(), self.phases());
        let [kd, kh, kw] = self.sub_kernel(kernel);
        let planes = (py * px) as f64 / (fy * fx) as f64;
        let rows = CELL_ROWS / fy;
        let packed = PACKED_TAPS * (kd * (rows + kh - 1)) as f64 / rows as f64 / kernels.max(1) as f64;
        planes * ((kd * kh * kw) as f64 + PLANE_TAPS + packed)
    }

    /// Outputs that combine, along `y` and `x`.
    pub(super) fn phases(self) -> [usize; 2] {
        self.levels.map(|level| 1 << level)
    }

    /// Planes along `y` and `x`.
    pub(super) fn planes(self) -> [usize; 2] {
        self.levels.map(|level| 3usize.pow(level))
    }

    /// The taps of a plane's kernel.
    pub(super) fn sub_kernel(self, [kd, kh, kw]: [usize; 3]) -> [usize; 3] {
        let [fy, fx] = self.phases();
        [kd, kh.div_ceil(fy), kw.div_ceil(fx)]
    }

    /// How many times larger than those of the direct convolution intermediate values can be.
    pub(super) fn growth(self) -> u128 {
        1 << (2 * (self.levels[0] + self.levels[1]))
    }
}

/// The kernels of the planes: taps of even index, sums of neighbours, taps of odd index, along `y` and then along `x`, once
/// per level.
pub(super) fn transform<C: Nested>(groups: &[Group], weights: &[C], kernel: [usize; 3], nest: Nest) -> Result<Vec<C>> {
    let [fy, fx] = nest.phases();
    let [kd, kh, kw] = nest.sub_kernel(kernel);
    let planes = nest.planes().iter().product::<usize>();
    let kernels = groups.iter().map(|group| group.count).sum::<usize>();
    let len = planes * kd * kh * kw * kernels;
    let mut all = Vec::new();
    let bytes = (len * size_of::<C>()) as u64;
    all.try_reserve_exact(len).map_err(|_| Error::OutOfMemory { device: "the host".into(), bytes })?;
    let taps = kernel.iter().product::<usize>();
    for group in groups {
        let weights = &weights[group.weights..][..taps * group.count];
        let mut parts: Vec<Vec<Vec<C>>> = Vec::with_capacity(group.count);
        for k in 0..group.count {
            // Padded with zeros to whole blocks of phases: [kd][fy · kh][fx · kw].
            let (height, width) = (fy * kh, fx * kw);
            let mut padded = vec![C::ZERO; kd * height * width];
            for (t, w) in weights.iter().skip(k).step_by(group.count).enumerate() {
                let (z, y, x) = (t / (kernel[1] * kernel[2]), t / kernel[2] % kernel[1], t % kernel[2]);
                padded[(z * height + y) * width + x] = *w;
            }
            let mut list = vec![padded];
            let mut lengths = [height, width];
            for axis in 0..2 {
                for _ in 0..nest.levels[axis] {
                    list = list.iter().flat_map(|taps| halves(taps, lengths, axis)).collect();
                    lengths[axis] /= 2;
                }
            }
            parts.push(list);
        }
        for plane in 0..planes {
            for t in 0..kd * kh * kw {
                all.extend(parts.iter().map(|kernel| kernel[plane][t]));
            }
        }
    }
    Ok(all)
}

/// The three kernels of half the length along one axis of `[.., height, width]`.
fn halves<C: Number>(taps: &[C], [height, width]: [usize; 2], axis: usize) -> [Vec<C>; 3] {
    // Elements that lie together, and from a tap to the next along the axis.
    let step = if axis == 0 { width } else { 1 };
    let _ = height;
    let pairs = taps.chunks(2 * step);
    let even: Vec<C> = pairs.clone().flat_map(|pair| &pair[..step]).copied().collect();
    let odd: Vec<C> = pairs.flat_map(|pair| &pair[step..]).copied().collect();
    let sum = even.iter().zip(&odd).map(|(a, b)| a.plus(*b)).collect();
    [even, sum, odd]
}
