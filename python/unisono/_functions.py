"""The operations: signatures, defaults and documentation over the native half."""

from dataclasses import dataclass

import numpy as np

from . import _unisono
from ._filters import _array, _integer, _separable


def _axes(axis):
    """The axes as a list; None for all."""
    return None if axis is None else _integers("axis", axis)


def _keepdims(keepdims):
    """Whether axes are kept; what NumPy has in this place, a dtype, is not taken for a truth."""
    if isinstance(keepdims, (int, np.integer, np.bool_)):
        return bool(keepdims)
    raise TypeError(f"keepdims: got {keepdims!r}, expected True or False")


def _fit(x, shape, device, dtype=None):
    """The array of this shape, to which it broadcasts, and dtype; one on a device, if it must change, by way of the host."""
    dtype = x.dtype if dtype is None else dtype
    if x.shape == shape and x.dtype == dtype:
        return x
    if isinstance(x, _unisono.Array):
        return _unisono.upload(_fit(x.numpy(), shape, device, dtype), device)
    return np.broadcast_to(x.astype(dtype, copy=False), shape, subok=True)


def _multiplied(a, dtype, device):
    """Integers whose product is to be a float, as floats: the native half has no exact products of that dtype."""
    if dtype is None or np.dtype(dtype).kind != "f":
        return a
    a = _array(a)
    if a.dtype.kind not in "biu":
        return a
    return map("x", {"x": a}, dtype=dtype, device=device) if isinstance(a, _unisono.Array) else a.astype(dtype)


def upload(a, device="auto"):
    """Copy an array to a device, so that several operations on it share one transfer.

    Parameters
    ----------
    a : array_like
        The elements.
    device : str or Backend
        Where to.

    Returns
    -------
    Array
        Operations whose result is an array and that are given one return one: on a GPU nothing is moved until
        :meth:`Array.numpy` is called.

    Examples
    --------
    >>> x = unisono.upload([1.0, 2.0, 3.0])
    >>> unisono.convolve(x, [1.0, 1.0], ndim=1).numpy()
    array([1., 3., 5., 3.])
    """
    return _unisono.upload(a, device)


def convolve(
    images,
    kernels,
    mode="full",
    boundary="constant",
    fill_value=0,
    ndim=2,
    device="auto",
    out=None,
    out_dtype=None,
    algorithm="auto",
    accuracy="default",
    *,
    centre="signal",
    origin=0,
    stride=1,
    dilation=1,
    groups=None,
    overflow="error",
    nan="propagate",
):
    """Convolve images with kernels over the last ``ndim`` axes.

    Parameters
    ----------
    images : array_like, shape ``(N.., H, W)``
        One image or a batch (shapes are given for ``ndim=2``).
    kernels : array_like, shape ``(K.., h, w)``
        One kernel or a bank. A kernel may be larger than the image.
    mode : {"full", "same", "valid"}
        As in :func:`scipy.signal.convolve`: all outputs (``H+h-1, W+w-1``), the central ``H, W`` of them, or those that
        need no boundary (``H-h+1, W-w+1``).
    boundary : str or sequence of str
        What lies outside the image, for all axes or one per axis, in the words of :mod:`scipy.ndimage`: ``"constant"``,
        ``"reflect"`` (d c b a | a b c d), ``"nearest"``, ``"mirror"`` (d c b | a b c d), ``"wrap"``; also the names of
        :mod:`scipy.signal` (``"fill"``, ``"symm"``) and OpenCV (``"replicate"``, ``"reflect_101"``).
    fill_value : float or complex
        The value outside for ``"constant"``, and 0 without such an axis; complex for complex images only.
    ndim : {1, 2, 3}
        The number of spatial axes.
    device : str or Backend
        Where to compute.
    out : ndarray or Array, optional
        Array to write to; its dtype is the dtype of the result. Saves the page faults of a fresh array.
    out_dtype : dtype, optional
        Dtype of the result instead of NumPy's promotion of the two operands' dtypes.
    algorithm : {"auto", "direct", "separable", "fast-fir", "fft"}
        How the sums are formed; ``"auto"`` takes the one predicted to be fastest. Integers are exact with each of them.
    accuracy : {"default", "elementwise", "exact"}
        How near the exact value float results are: within the bound of the algorithm; within a bound of each output's own
        taps; or the exact sum of the products, rounded once, the same bits on every device.
    centre : {"signal", "signal2d", "ndimage"}
        Which element of a kernel of length ``k`` lies on the output's own pixel in ``"same"`` mode; they differ for even
        ``k`` only. ``"signal"``: ``(k-1)//2`` to convolve and ``k//2`` to correlate, as :func:`scipy.signal.convolve`,
        :func:`scipy.signal.convolve2d` and :func:`scipy.signal.correlate`; ``"signal2d"``: ``(k-1)//2`` for both, as
        :func:`scipy.signal.correlate2d`; ``"ndimage"``: ``k//2`` for both, as :func:`scipy.ndimage.convolve`.
    origin : int or sequence of int
        Shift of that centre along all spatial axes or each, as in :mod:`scipy.ndimage`:
        ``-(k//2) <= origin <= (k-1)//2``. ``"same"`` mode only.
    stride : int or sequence of int
        Keep every ``stride``-th output, from the first one on.
    dilation : int or sequence of int
        Spread the taps: as with a kernel of length ``(k-1)*dilation + 1`` that has zeros between its taps.
    groups : int, optional
        Sum over channels, as a layer of a neural network does: images ``(N.., C, H, W)`` with kernels
        ``(O.., C//groups, h, w)`` give ``(N.., O.., H', W')``; each of ``groups`` runs of kernels over its run of channels.
        A layer of PyTorch is ``correlate(x, w, "valid", stride=s, dilation=d, groups=g)``.
    overflow : {"error", "wrap", "saturate"}
        What becomes of an exact integer that the result's dtype cannot hold. An integer result of float operands is
        rounded to nearest, ties to even, and saturated (NaN gives 0): with ``"wrap"`` it is refused.
    nan : {"propagate", "ignore"}
        With ``"ignore"``, NaN in floating-point images has no weight: ``sum(k x) / sum(k)`` over what is there, NaN where
        nothing is there; ``fill_value=nan`` leaves out what lies outside.

    Returns
    -------
    ndarray, shape ``(N.., K.., H', W')``
        ``out`` if it was given; an :class:`Array` if an operand is one.

    Raises
    ------
    ValueError
        Shapes, names or ``out`` that do not fit; an exact integer that the result's dtype cannot hold.
    TypeError
        A dtype that is not computed with.
    RuntimeError
        The device failed, or lacks a feature (float64 on a GPU without it).

    Notes
    -----
    Integers are exact. Floats are computed in their own precision ``eps``, within the bound of the algorithm taken:
    ``taps * eps * sum(|k| |x|)`` of the exact value for ``"direct"``, which ``accuracy="elementwise"`` keeps to, and
    ``16 (taps / 4 + 8) * eps * sum(|k|) * max(|x|)`` for ``"fast-fir"``. With ``accuracy="exact"`` they are the exact value
    rounded once, at several times the cost; an exact zero is +0. Complex numbers are computed by their parts, in one such
    sum each, with many taps in two.

    Examples
    --------
    >>> unisono.convolve([1, 2, 3], [0, 1, 10], ndim=1)
    array([ 0,  1, 12, 23, 30])
    >>> bank = np.stack([np.full((2, 2), 0.25), np.eye(2)])
    >>> unisono.convolve(np.ones((5, 4, 4)), bank, mode="valid").shape
    (5, 2, 3, 3)
    >>> x = np.array([1e20, 1.0, -1e20])
    >>> unisono.convolve(x, np.ones(3), mode="valid", ndim=1, accuracy="exact")
    array([1.])
    """
    options = (centre, origin, stride, dilation, groups, overflow, nan)
    return _convolve(False, images, kernels, mode, boundary, fill_value, ndim, device, out, out_dtype, algorithm, accuracy, options)


def correlate(
    images,
    kernels,
    mode="full",
    boundary="constant",
    fill_value=0,
    ndim=2,
    device="auto",
    out=None,
    out_dtype=None,
    algorithm="auto",
    accuracy="default",
    *,
    centre="signal",
    origin=0,
    stride=1,
    dilation=1,
    groups=None,
    overflow="error",
    nan="propagate",
):
    """Correlate images with kernels: :func:`convolve` without reversing the kernels, complex ones conjugated.

    Parameters
    ----------
    images, kernels, mode, boundary, fill_value, ndim, device, out, out_dtype, algorithm, accuracy
        As for :func:`convolve`, and so are shapes, result, errors and numerics.
    centre, origin, stride, dilation, groups, overflow, nan
        As for :func:`convolve`.

    Examples
    --------
    >>> unisono.correlate([1, 2, 3], [0, 1, 10], ndim=1)
    array([10, 21, 32,  3,  0])
    """
    options = (centre, origin, stride, dilation, groups, overflow, nan)
    return _convolve(True, images, kernels, mode, boundary, fill_value, ndim, device, out, out_dtype, algorithm, accuracy, options)


def explain_convolve(
    images,
    kernels,
    mode="full",
    boundary="constant",
    fill_value=0,
    ndim=2,
    device="auto",
    out_dtype=None,
    algorithm="auto",
    accuracy="default",
    *,
    centre="signal",
    origin=0,
    stride=1,
    dilation=1,
    groups=None,
    overflow="error",
    nan="propagate",
):
    """Say on which device and with which algorithm a convolution would run, with the predicted times.

    Parameters
    ----------
    images, kernels, mode, boundary, fill_value, ndim, device, out_dtype, algorithm, accuracy
        As for :func:`convolve`.
    centre, origin, stride, dilation, groups, overflow, nan
        As for :func:`convolve`.

    Returns
    -------
    str

    Examples
    --------
    >>> unisono.explain_convolve(np.ones((9, 9)), np.ones((3, 3)), device="cpu")
    'cpu: the only device; algorithm direct: too little work for another'
    """
    options = (centre, origin, stride, dilation, groups, overflow)
    boundaries, fill_value, options = _described(boundary, fill_value, ndim, options)
    if _ignores(nan) and accuracy == "default":
        accuracy = "elementwise"
    dtype = None if out_dtype is None else np.dtype(out_dtype)
    return _unisono.explain_convolve(
        images, kernels, mode, boundaries, fill_value, ndim, algorithm, accuracy, options, device, dtype
    )


def _integers(name, value):
    """One for all axes or one each."""
    return [_integer(name, one) for one in (value if np.ndim(value) else [value])]


def _fill(value):
    """What lies outside, which the native half takes as a float64."""
    if isinstance(value, (int, np.integer)) and not (abs(int(value)) < 2**64 and int(float(value)) == value):
        raise ValueError(f"fill_value: got {value}, expected an integer that float64 holds")
    return value


def _described(boundary, fill_value, ndim, options):
    """The boundaries, the value outside and the options as the native half takes them."""
    centre, origin, stride, dilation, groups, overflow = options
    groups = None if groups is None else _integer("groups", groups)
    if _integer("ndim", ndim) not in (1, 2, 3):
        raise ValueError(f"ndim: got {ndim}, expected 1, 2 or 3")
    steps = [_integers(*one) for one in (("origin", origin), ("stride", stride), ("dilation", dilation))]
    boundaries = [boundary] if isinstance(boundary, str) else list(boundary)
    return boundaries, _fill(fill_value), (centre, *steps, groups, overflow)


def _ignores(nan):
    """Whether NaN is passed over."""
    if nan not in ("propagate", "ignore"):
        raise ValueError(f'nan: got {nan!r}, expected "propagate" or "ignore"')
    return nan == "ignore"


def _convolve(correlate, images, kernels, mode, boundary, fill_value, ndim, device, out, out_dtype, algorithm, accuracy, options):
    dtype = None if out_dtype is None else np.dtype(out_dtype)
    *options, nan = options
    boundaries, fill_value, native = _described(boundary, fill_value, ndim, options)
    if _ignores(nan):
        images = _array(images)
        if images.dtype.kind == "c":
            raise TypeError(f"images: got dtype {images.dtype}, expected a real one where NaN is ignored")
        if out is not None and dtype is not None and dtype != getattr(out, "dtype", dtype):
            raise ValueError(f"out_dtype: got {dtype}, expected the dtype of out, {out.dtype}")
        result = _unisono.convolve_without_nan(
            correlate, images, kernels, mode, boundaries, fill_value, ndim, algorithm, accuracy, native, device
        )
        return result if out is None and dtype is None else _separable(result, [[]], device, out, dtype)
    return _unisono.convolve(
        correlate, images, kernels, mode, boundaries, fill_value, ndim, algorithm, accuracy, native, device, out, dtype
    )


@dataclass(frozen=True)
class Pi:
    """An estimate of pi: four times the share of the points that fell into the circle."""

    hits: int
    """Points inside the circle: the same on every device."""
    samples: int
    """Samples drawn."""
    estimate: float
    """``4 * hits / points``."""
    standard_error: float
    """The estimate's standard error, from the samples themselves."""
    method: str = "plain"
    """How the points were placed."""
    bits: int = 16
    """Bits of a coordinate."""
    counts: tuple = ()
    """Samples with no, one and two points outside; or the hits of every Sobol replicate."""
    bias: float = 0.0
    """What the grid of coordinates adds to the estimate in the mean."""
    equivalent_samples: float = 0.0
    """The plain samples that would have this standard error."""

    @classmethod
    def _of(cls, fields):
        *before, counts, bias, equivalent = fields
        return cls(*before, tuple(counts), bias, equivalent)

    @property
    def _known(self):
        return self.samples, list(self.counts), self.method, self.bits

    def __float__(self):
        return self.estimate

    def confidence_interval(self, level=0.95):
        """An interval that covers the estimate's mean with this probability; the mean is pi and the :attr:`bias`.

        >>> low, high = unisono.pi(10**6, seed=42).confidence_interval(0.999)
        >>> low < np.pi < high
        True
        """
        return tuple(_unisono.pi_interval(self._known, level))

    def merge(self, other):
        """The estimate from the samples of both, which are of one method and as many bits.

        An estimate does not know which samples it is of: that they are of one seed and that none is in both is up to the
        caller. A :class:`MonteCarloState` knows, and refuses what it has already.

        >>> unisono.pi(600, seed=1).merge(unisono.pi(400, seed=1, start=600)) == unisono.pi(1000, seed=1)
        True
        """
        return Pi._of(_unisono.pi_merge(self._known, other._known))


def pi(samples, seed=0, device="auto", start=0, *, method="plain", bits=None):
    """Estimate pi from random points in a square.

    Parameters
    ----------
    samples : int
        How many samples, at least 1; rounded up to whole passes of 65,536 (stratified) or 32 (sobol). A whole float will do:
        ``1e9``.
    seed : int
        Key of the generator (Philox4x32-10), below ``2**64``.
    device : str or Backend
        Where to compute.
    start : int
        Index of the first sample. Estimates from disjoint ranges of one seed :meth:`~Pi.merge` exactly.
    method : str
        A sample is a random point (``"plain"``), a point and its opposite (``"antithetic"``), a point and its reflections in
        both axes (``"reflected"``), two points in one of 256 x 256 cells in turn (``"stratified"``), or a point of one of 32
        Sobol sequences under random digital shifts (``"sobol"``; best with a power of two of samples).
    bits : int, optional
        Bits of a coordinate, 16 or 32: by default 16, of Sobol's method 32.

    Returns
    -------
    Pi
        Hits, samples, estimate, standard error and what else is known of it. Counts are integers addressed by sample index, so
        they depend on the arguments only, not on the device.

    Examples
    --------
    >>> estimate = unisono.pi(10**6, seed=42)
    >>> abs(float(estimate) - np.pi) < 5 * estimate.standard_error
    True
    >>> unisono.pi(2**20, seed=42, method="sobol").equivalent_samples > 3 * 10**7
    True
    """
    return Pi._of(_unisono.pi(samples, seed, start, method, bits, device))


def _operands(arrays, named):
    """Arrays and parameters: what has no axes and is no :class:`Array` is a parameter."""
    both = dict(arrays or {}, **named)
    if arrays and len(both) < len(arrays) + len(named):
        twice = sorted(set(arrays) & set(named))
        raise ValueError(f"names given twice: {', '.join(twice)}")
    params = {name: value for name, value in both.items() if not isinstance(value, _unisono.Array) and np.ndim(value) == 0}
    return [(n, a) for n, a in both.items() if n not in params], [(n, float(p)) for n, p in params.items()]


def _dtype(dtype):
    return None if dtype is None else np.dtype(dtype)


def map(expr, arrays=None, /, *, device="auto", dtype=None, out=None, **named):
    """Evaluate an expression at every element of some arrays, which are broadcast, in one pass.

    Parameters
    ----------
    expr : str
        Python's syntax and precedence: numbers, names, ``+ - * / % **``, comparisons (which chain), ``and``, ``or``, ``not`` and
        ``abs acos acosh asin asinh atan atan2 atanh cbrt ceil clip cos cosh erf erfc exp exp2 expm1 floor hypot log log10 log1p
        log2 max min mod pow round sign sin sinh sqrt tan tanh trunc where``, with NumPy's names (``arctan2``) too. ``pi``, ``e``, ``inf`` and ``nan`` are numbers unless given. A comparison is 1 or 0.
    arrays : dict, optional
        Arrays and parameters by name, for names that are arguments of this function.
    device : str or Backend
        Where to compute.
    dtype : dtype, optional
        float32 or float64, in which everything is computed; NumPy's promotion of the arrays with float32 by default.
    out : ndarray or Array, optional
        Array of the result's shape and dtype to write to.
    **named
        Arrays, and parameters: numbers, which are the same for all elements. Other parameters compile nothing anew.

    Returns
    -------
    ndarray
        A NumPy scalar if there is no array; ``out`` if it was given; an :class:`Array` if one of the arrays is.

    Notes
    -----
    ``+ - * / sqrt`` round once to nearest, and nothing is fused or reordered. Of float32 ``exp exp2 log log2 log10 sin cos **``
    are within 0.52 ulp, other functions within 3 (``erfc`` 6), with the same bits on every device. So has
    float64, with the functions of the crate ``libm`` step by step.

    Examples
    --------
    >>> unisono.map("scale*(a - b)**2", a=[1.0, 2.0, 3.0], b=[3.0, 2.0, 1.0], scale=0.5)
    array([2., 0., 2.])
    """
    arrays, params = _operands(arrays, named)
    return _unisono.map(expr, arrays, params, _dtype(dtype), device, out)


def map_reduce(expr, op, arrays=None, /, *, device="auto", dtype=None, **named):
    """Evaluate an expression at every element and reduce the results to one number, in the same pass.

    Parameters
    ----------
    expr : str
        As in :func:`map`.
    op : str
        sum, product, mean, var, std, min, max, ptp, argmin, argmax, any, all, count_nonzero or norm.
    arrays, device, dtype, **named
        As in :func:`map`.

    Returns
    -------
    NumPy scalar, int or bool
        As the reduction of the same name gives. Sums and means are exact sums of the results, rounded once.

    Examples
    --------
    >>> unisono.map_reduce("(a - b)**2", "sum", a=[1.0, 2.0], b=[3.0, 5.0])
    np.float64(13.0)
    """
    arrays, params = _operands(arrays, named)
    return _unisono.map_reduce(expr, op, arrays, params, _dtype(dtype), device)


def integrate(
    expr,
    bounds,
    samples=2**20,
    *,
    seed=0,
    absolute_error=0.0,
    relative_error=0.0,
    round=None,
    params=None,
    dtype="float32",
    method="plain",
    start=0,
    device="auto",
):
    """Integrate an expression over a box by Monte Carlo, from a number of samples or to a target error.

    Parameters
    ----------
    expr : str or Wgsl
        As in :func:`map`; or a function in WGSL, on GPUs.
    bounds : dict
        ``(from, to)`` of every coordinate, by name.
    samples : int
        Samples to draw; with a target error, at most: with ``method="sobol"`` as many as the last look that these allow. With
        ``method="vegas"`` whole rounds only: at least one, and what is left over is not drawn.
    seed : int
        Key of the generator (Philox4x32-10), below ``2**64``.
    absolute_error, relative_error : float
        Stop after the first round whose standard error is at most this, or at most this share of the estimate: with both, either
        suffices. With ``method="vegas"`` after the fifth at the earliest. No estimate of 0 meets a relative one. Where no two
        samples differ, the estimate over their number stands for the error, unless the expression names no coordinate.
    round : int, optional
        Samples between two looks at the error, so that where it stops depends on no device: ``2**18`` by default. With
        ``method="vegas"`` also between two grids, ``2**16`` by default. With ``method="sobol"`` before the first look,
        ``2**15`` by default; each later round is as long as all before it.
    params : dict, optional
        Parameters by name.
    dtype : dtype
        float32 or float64: the dtype of coordinates and integrand, part of the problem.
    method : {"plain", "vegas", "sobol"}
        Independent points, importance sampling on a grid that adapts to the integrand, for peaks, or scrambled Sobol points
        in 32 independent replicates, for smooth integrands: the error falls faster than ``n**-0.5``. Best with a power of two
        of samples.
    start : int
        Index of the first sample. Estimates from disjoint ranges :meth:`~Integral.merge` exactly. With ``method="vegas"`` 0:
        a round's grid comes of those before; an :class:`IntegralState` shares the samples of a round.
    device : str or Backend
        Where to compute.

    Returns
    -------
    Integral
        Estimate, standard error, samples, and whether a target was reached. Sums are exact, so that no device, thread or split
        changes a bit.

    Examples
    --------
    >>> area = unisono.integrate("x*x + y*y <= r*r", {"x": (-1, 1), "y": (-1, 1)}, params={"r": 1}, seed=42)
    >>> abs(float(area) - np.pi) < 5 * area.standard_error
    True
    """
    box = [(name, float(low), float(high)) for name, (low, high) in bounds.items()]
    params = [(name, float(value)) for name, value in (params or {}).items()]
    errors = (float(absolute_error), float(relative_error))
    return _unisono.integrate(expr, box, params, samples, start, seed, errors, round, np.dtype(dtype), method, device)
