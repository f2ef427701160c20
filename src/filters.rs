//! The filters of `scipy.ndimage`, as plans for [`Backend::separable`](crate::Backend::separable): each function gives a
//! [`Separable`] with the weights that SciPy computes.
//!
//! ```
//! # fn main() -> unisono::Result<()> {
//! use unisono::{Backend, filters::{self, Axes}};
//! let image = ndarray::Array3::<u8>::zeros((60, 80, 3)); // height, width, interleaved channels
//! let how = filters::Gaussian::new(2.0).filter(&Axes::of(&[0, 1]))?;
//! let blurred = Backend::cpu().separable(&image, &how)?;
//! # Ok(())
//! # }
//! ```

use crate::plan::{Boundary, Factor, Separable};
use crate::{Error, Result};

/// The axes to filter, and what lies outside along each.
#[derive(Debug, Clone, PartialEq)]
pub struct Axes {
    axes: Vec<isize>,
    boundary: Vec<Boundary>,
}

impl Axes {
    /// These axes (negative: from the last). Reflect boundary.
    pub fn of(axes: &[isize]) -> Self {
        Self { axes: axes.to_vec(), boundary: vec![Boundary::Reflect] }
    }

    /// All axes of an array of this rank.
    pub fn all(rank: usize) -> Self {
        Self::of(&(0..rank as isize).collect::<Vec<_>>())
    }

    /// The last two axes: images, with all others as batch.
    pub fn last2() -> Self {
        Self::of(&[-2, -1])
    }

    /// The same boundary along every axis.
    pub fn boundary(self, boundary: Boundary) -> Self {
        Self { boundary: vec![boundary], ..self }
    }

    /// One boundary per axis.
    pub fn boundaries(self, boundaries: &[Boundary]) -> Self {
        Self { boundary: boundaries.to_vec(), ..self }
    }

    /// Every axis with its boundary.
    fn each(&self) -> Result<Vec<(isize, Boundary)>> {
        let boundaries = per_axis("boundaries", &self.boundary, self.axes.len())?;
        Ok(self.axes.iter().copied().zip(boundaries).collect())
    }
}

/// One value per axis, from one for all or one each.
fn per_axis<T: Clone>(what: &str, values: &[T], axes: usize) -> Result<Vec<T>> {
    match values {
        [one] => Ok(vec![one.clone(); axes]),
        _ if values.len() == axes => Ok(values.to_vec()),
        _ => Err(Error::invalid(what, format!("{} of them", values.len()), format!("1 or {axes}, the number of axes"))),
    }
}

/// A filter by a Gaussian or one of its derivatives: `scipy.ndimage.gaussian_filter`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    sigma: Vec<f64>,
    order: Vec<usize>,
    truncate: f64,
    radius: Vec<Option<usize>>,
}

impl Gaussian {
    /// Standard deviation `sigma` along every axis, no derivative, cut off at `4 · sigma`.
    pub fn new(sigma: f64) -> Self {
        Self::sigmas(&[sigma])
    }

    /// A standard deviation per axis.
    pub fn sigmas(sigmas: &[f64]) -> Self {
        Self { sigma: sigmas.to_vec(), order: vec![0], truncate: 4.0, radius: vec![None] }
    }

    /// The order of the derivative, along every axis.
    pub fn order(self, order: usize) -> Self {
        self.orders(&[order])
    }

    /// The order of the derivative per axis.
    pub fn orders(self, orders: &[usize]) -> Self {
        Self { order: orders.to_vec(), ..self }
    }

    /// Cut off at so many standard deviations.
    pub fn truncate(self, truncate: f64) -> Self {
        Self { truncate, ..self }
    }

    /// Cut off at this distance instead, along every axis.
    pub fn radius(self, radius: usize) -> Self {
        self.radii(&[radius])
    }

    /// A distance per axis.
    pub fn radii(self, radii: &[usize]) -> Self {
        Self { radius: radii.iter().copied().map(Some).collect(), ..self }
    }

    /// The weights along axis `index` of those filtered.
    fn weights(&self, index: usize, axes: usize) -> Result<Vec<f64>> {
        let sigma = per_axis("sigmas", &self.sigma, axes)?[index];
        let radius = match per_axis("radii", &self.radius, axes)?[index] {
            Some(radius) => radius,
            None => {
                let reach = self.truncate * sigma + 0.5;
                if !(0.0..=1e9).contains(&reach) {
                    return Err(Error::invalid("sigma", sigma, "a number of at least 0 that a kernel of it fits in memory"));
                }
                reach as usize
            }
        };
        Ok(gaussian_weights(sigma, per_axis("orders", &self.order, axes)?[index], radius))
    }

    /// The filter.
    ///
    /// # Errors
    /// [`Error::Invalid`] for sigmas, orders, radii or boundaries that are not one or one per axis, and for a sigma that is
    /// negative or not finite.
    pub fn filter(&self, axes: &Axes) -> Result<Separable> {
        let mut filter = Separable::new();
        let each = axes.each()?;
        let sigmas = per_axis("sigmas", &self.sigma, each.len())?;
        for (index, &(axis, boundary)) in each.iter().enumerate() {
            let mut weights = self.weights(index, each.len())?;
            // An axis without width is left as it is, as in SciPy.
            if sigmas[index] > 1e-15 {
                weights.reverse();
                filter = filter.pass(Factor::correlate(axis, weights).boundary(boundary));
            }
        }
        Ok(filter)
    }

    /// A term per axis: the derivative of that order along it, and its boundary along every axis.
    fn derivatives(&self, order: usize, axes: &Axes) -> Result<Separable> {
        let each = axes.each()?;
        sum(each.iter().enumerate().map(|(index, &(_, boundary))| {
            let mut orders = vec![0; each.len()];
            orders[index] = order;
            self.clone().orders(&orders).filter(&axes.clone().boundary(boundary))
        }))
    }

    /// The Laplace operator by second derivatives of a Gaussian: `scipy.ndimage.gaussian_laplace`. As there, each of several
    /// boundaries holds along all axes of one term: the one with the derivative along its own axis.
    ///
    /// # Errors
    /// As [`filter`](Self::filter).
    pub fn laplace(&self, axes: &Axes) -> Result<Separable> {
        self.derivatives(2, axes)
    }

    /// The magnitude of the gradient by derivatives of a Gaussian: `scipy.ndimage.gaussian_gradient_magnitude`. Boundaries as
    /// for [`laplace`](Self::laplace).
    ///
    /// # Errors
    /// As [`filter`](Self::filter).
    pub fn gradient_magnitude(&self, axes: &Axes) -> Result<Separable> {
        Ok(self.derivatives(1, axes)?.magnitude())
    }

    /// Sharpened: `x + amount · (x − blurred)`, as scikit-image's `unsharp_mask` (which scales and clips values besides) and
    /// Pillow's `UnsharpMask` with `amount = percent / 100` and threshold 0. Integers are rounded and saturated.
    ///
    /// # Errors
    /// As [`filter`](Self::filter), and for an amount that is not finite.
    pub fn unsharp(&self, amount: f64, axes: &Axes) -> Result<Separable> {
        if !amount.is_finite() {
            return Err(Error::invalid("amount", amount, "a finite number"));
        }
        let same = axes.axes.iter().fold(Separable::new(), |same, &axis| same.pass(Factor::correlate(axis, [1.0])));
        Ok(same.scaled(1.0 + amount).plus(self.filter(axes)?.scaled(-amount)))
    }
}

/// The sum of filters.
fn sum(mut terms: impl Iterator<Item = Result<Separable>>) -> Result<Separable> {
    let first = terms.next().unwrap_or_else(|| Ok(Separable::new()))?;
    terms.try_fold(first, |sum, term| Ok(sum.plus(term?)))
}

/// SciPy's `_gaussian_kernel1d`: a Gaussian of `2 · radius + 1` weights with sum 1, or its derivative: the Gaussian times a
/// polynomial found by differentiating `order` times.
fn gaussian_weights(sigma: f64, order: usize, radius: usize) -> Vec<f64> {
    let variance = sigma * sigma;
    let positions: Vec<f64> = (0..=2 * radius).map(|i| i as f64 - radius as f64).collect();
    let phi: Vec<f64> = positions.iter().map(|x| (-0.5 / variance * x * x).exp()).collect();
    let total = pairwise(&phi);
    let phi = phi.iter().map(|x| x / total);
    if order == 0 {
        return phi.collect();
    }
    // q(x), with f'(x) = (q'(x) + q(x) p'(x)) phi(x) and p'(x) = -x / variance.
    let mut q = vec![0.0; order + 1];
    q[0] = 1.0;
    for _ in 0..order {
        let mut next = vec![0.0; order + 1];
        for i in 0..=order {
            if i < order {
                next[i] += (i + 1) as f64 * q[i + 1];
            }
            if i > 0 {
                next[i] += q[i - 1] / -variance;
            }
        }
        q = next;
    }
    let value = |x: f64| q.iter().rev().fold(0.0, |value, c| value * x + c);
    positions.iter().zip(phi).map(|(&x, phi)| value(x) * phi).collect()
}

/// The sum of floats in halves, as NumPy adds: its rounding errors grow with the logarithm of the length.
fn pairwise(values: &[f64]) -> f64 {
    if values.len() <= 8 {
        return values.iter().sum();
    }
    let (a, b) = values.split_at(values.len() / 2);
    pairwise(a) + pairwise(b)
}

/// The mean over a box of `sizes` elements (one for all axes, or one each), moved by `origins` likewise:
/// `scipy.ndimage.uniform_filter`.
///
/// # Errors
/// [`Error::Invalid`] for sizes of 0, and numbers of sizes, origins and boundaries that do not fit the axes.
pub fn uniform(sizes: &[usize], origins: &[isize], axes: &Axes) -> Result<Separable> {
    let each = axes.each()?;
    let (sizes, origins) = (per_axis("sizes", sizes, each.len())?, per_axis("origins", origins, each.len())?);
    let mut filter = Separable::new();
    for ((&(axis, boundary), &size), &origin) in each.iter().zip(&sizes).zip(&origins) {
        if size == 0 {
            return Err(Error::invalid("size", size, "at least 1"));
        }
        if size > 1 {
            let factor = Factor::correlate(axis, vec![1.0 / size as f64; size]);
            filter = filter.pass(factor.origin(origin).boundary(boundary));
        }
    }
    Ok(filter)
}

/// The mean over a box of `size` elements along every axis: [`uniform`] by OpenCV's name.
///
/// # Errors
/// As [`uniform`].
pub fn box_blur(size: usize, axes: &Axes) -> Result<Separable> {
    uniform(&[size], &[0], axes)
}

/// The derivative by a central difference along one of `axes`, smoothed by `1 2 1` along the others: `scipy.ndimage.sobel`.
/// As there, differentiated first and then smoothed, in the order of `axes`, which tells where a constant other than zero lies
/// outside.
///
/// # Errors
/// [`Error::Invalid`] if `along` is none of the axes, or the boundaries do not fit them.
pub fn sobel(along: isize, axes: &Axes) -> Result<Separable> {
    difference(along, &[1.0, 2.0, 1.0], axes)
}

/// The derivative by a central difference along one of `axes`, smoothed by `1 1 1` along the others:
/// `scipy.ndimage.prewitt`.
///
/// # Errors
/// As [`sobel`].
pub fn prewitt(along: isize, axes: &Axes) -> Result<Separable> {
    difference(along, &[1.0, 1.0, 1.0], axes)
}

fn difference(along: isize, smooth: &[f64], axes: &Axes) -> Result<Separable> {
    if !axes.axes.contains(&along) {
        return Err(Error::invalid("axis", along, format!("one of {:?}", axes.axes)));
    }
    let mut each = axes.each()?;
    // Passes in the order of the axes are made at once where it does not matter.
    if each.iter().any(|(_, boundary)| boundary.fill() != 0.0) {
        each.sort_by_key(|&(axis, _)| axis != along);
    }
    Ok(passes(along, smooth, &each))
}

/// A central difference along one axis and `smooth` along the others, in this order.
fn passes(along: isize, smooth: &[f64], each: &[(isize, Boundary)]) -> Separable {
    let weights = |axis| if axis == along { &[-1.0, 0.0, 1.0] } else { smooth };
    let pass = |filter: Separable, &(axis, boundary): &(isize, Boundary)| {
        filter.pass(Factor::correlate(axis, weights(axis)).boundary(boundary))
    };
    each.iter().fold(Separable::new(), pass)
}

/// The magnitude of the gradient by [`sobel`] (or, with `prewitt`, by [`prewitt`]) along each axis, each with its passes in the
/// order of `axes`.
///
/// # Errors
/// As [`sobel`].
pub fn edges(prewitt: bool, axes: &Axes) -> Result<Separable> {
    let smooth = if prewitt { [1.0, 1.0, 1.0] } else { [1.0, 2.0, 1.0] };
    let each = axes.each()?;
    Ok(sum(each.iter().map(|&(along, _)| Ok(passes(along, &smooth, &each))))?.magnitude())
}

/// The Laplace operator by second differences: `scipy.ndimage.laplace`.
///
/// # Errors
/// [`Error::Invalid`] if the boundaries do not fit the axes.
pub fn laplace(axes: &Axes) -> Result<Separable> {
    let each = axes.each()?;
    let second = |&(axis, boundary): &(isize, Boundary)| {
        Ok(Separable::new().pass(Factor::correlate(axis, [1.0, -2.0, 1.0]).boundary(boundary)))
    };
    sum(each.iter().map(second))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Backend;

    #[test]
    fn weights_are_scipys() {
        // scipy.ndimage._filters._gaussian_kernel1d(1.2, order, 3)
        let expected = [
            [0.0146462555804, 0.0831208707142, 0.235559253444, 0.333347240523],
            [0.0305130324592, 0.11544565377, 0.163582814892, 0.0],
        ];
        for (order, expected) in expected.iter().enumerate() {
            let weights = gaussian_weights(1.2, order, 3);
            for (i, &y) in expected.iter().enumerate() {
                let mirrored = if order == 1 { -1.0 } else { 1.0 };
                assert!((weights[i] - y).abs() < 1e-11 && (weights[6 - i] - mirrored * y).abs() < 1e-11, "{order} {weights:?}");
            }
        }
        assert_eq!(gaussian_weights(2.0, 0, 8).len(), 17);
    }

    #[test]
    fn closed_forms() {
        let backend = Backend::cpu();
        let ramp = ndarray::Array2::from_shape_fn((9, 11), |(y, x)| (3 * y + 5 * x) as f64);
        let run = |how: Separable| backend.separable(&ramp, &how).unwrap().into_ndarray::<ndarray::Ix2>().unwrap();
        let axes = Axes::last2();
        // The sum of a kernel's weights times the slope, two elements apart.
        assert_eq!(run(sobel(-1, &axes).unwrap())[[4, 5]], 5.0 * 2.0 * 4.0);
        assert_eq!(run(prewitt(-2, &axes).unwrap())[[4, 5]], 3.0 * 2.0 * 3.0);
        assert_eq!(run(laplace(&axes).unwrap())[[4, 5]], 0.0);
        assert!((run(box_blur(3, &axes).unwrap())[[4, 5]] - ramp[[4, 5]]).abs() < 1e-12);
        let gaussian = Gaussian::new(1.0);
        assert!((run(gaussian.gradient_magnitude(&axes).unwrap())[[4, 5]] - 34f64.sqrt()).abs() < 1e-2);
        assert!((run(gaussian.unsharp(0.5, &axes).unwrap())[[4, 5]] - ramp[[4, 5]]).abs() < 1e-12);
        assert_eq!(run(Gaussian::new(0.0).filter(&axes).unwrap()), ramp);
        assert!(Gaussian::new(-1.0).filter(&axes).is_err() && Gaussian::new(f64::NAN).filter(&axes).is_err());
        assert!(sobel(0, &axes).is_err() && uniform(&[3, 3, 3], &[0], &axes).is_err());
    }

    #[test]
    fn what_lies_outside_is_scipys() {
        let backend = Backend::cpu();
        // scipy.ndimage.sobel and prewitt of numpy.arange(12).reshape(3, 4), mode="constant", cval=10, axis by axis.
        let ramp = ndarray::Array2::from_shape_fn((3, 4), |(y, x)| (4 * y + x) as i32);
        let axes = Axes::all(2).boundary(Boundary::Constant(10.0));
        for (how, expected) in [
            (sobel(0, &axes), [-7, -20, -16, 0, 34, 32, 32, 34, 27, 20, 16, 20]),
            (sobel(1, &axes), [-13, 16, 16, 30, -20, 8, 8, 16, 3, 16, 16, 14]),
            (prewitt(1, &axes), [-4, 14, 14, 22, -15, 6, 6, 12, 4, 14, 14, 14]),
        ] {
            assert_eq!(backend.separable(&ramp, &how.unwrap()).unwrap().into_vec().unwrap(), expected);
        }
        assert!(backend.separable(&ramp, &edges(false, &axes).unwrap()).is_ok());
        // scipy.ndimage.gaussian_laplace and gaussian_gradient_magnitude with sigma=0.7, mode=["constant", "wrap"].
        let image = ndarray::array![[1.0, 4.0, 2.0], [8.0, 0.0, 3.0]];
        let (axes, gaussian) = (Axes::all(2).boundaries(&[Boundary::ZERO, Boundary::Wrap]), Gaussian::new(0.7));
        let laplace = [-1.3807266507, -1.4849576828, -0.7106729058, -8.2150112522, 1.1805936256, -0.3138407325];
        let magnitude = [1.9231652381, 1.0986344069, 0.9456847815, 0.6918741762, 1.5493418904, 1.5590071374];
        for (how, expected) in [(gaussian.laplace(&axes), laplace), (gaussian.gradient_magnitude(&axes), magnitude)] {
            let found = backend.separable(&image, &how.unwrap()).unwrap().into_vec().unwrap();
            assert!(found.iter().zip(expected).all(|(x, y): (&f64, f64)| (x - y).abs() < 1e-9), "{found:?}");
        }
    }
}
