"""Scans, order statistics and logarithms of sums of exponentials."""

import numpy as np

from . import _unisono
from ._filters import _array, _integer
from ._functions import _axes, _keepdims, _multiplied


def cumsum(a, axis=None, device="auto", out=None, *, dtype=None, exclusive=False, reverse=False, wrapping=False):
    """Running sums along an axis, as :func:`numpy.cumsum`; of floats exact, each rounded once.

    Parameters
    ----------
    a : array_like
        Any real dtype.
    axis : int, optional
        The axis; all elements in C order, to a result of one axis, if not given.
    device : str or Backend
        Where to compute.
    out : ndarray or Array, optional
        Where the result goes.
    dtype : dtype, optional
        The dtype of the result, to which each exact value is rounded or narrowed once: a float dtype, or an integer one for
        integers.
    exclusive : bool
        Each result without its own element: the first is 0.
    reverse : bool
        From the last element to the first.
    wrapping : bool
        Integers that do not fit the result wrap around, as NumPy's; without it that is an error.

    Returns
    -------
    ndarray
        int64 or uint64 of integers, the dtype of ``a`` of floats. Every running sum of floats is the exact sum so far,
        rounded once, with the same bits on every device.

    Raises
    ------
    ValueError
        The axis does not exist, or an integer does not fit.

    Examples
    --------
    >>> unisono.cumsum([1e100, 1.0, -1e100])
    array([1.e+100, 1.e+100, 1.e+000])
    >>> unisono.cumsum([[1, 2], [3, 4]], axis=0)
    array([[1, 2],
           [4, 6]])
    >>> unisono.cumsum([3, 1, 4], exclusive=True)
    array([0, 3, 4])
    """
    return _scan("cumsum", a, axis, "exclusive" if exclusive else "inclusive", reverse, wrapping, device, out, dtype)


def cumprod(a, axis=None, device="auto", out=None, *, dtype=None, exclusive=False, reverse=False, wrapping=False):
    """Running products along an axis, as :func:`numpy.cumprod`.

    Parameters
    ----------
    a, axis, device, out, dtype, exclusive, reverse, wrapping
        As for :func:`cumsum`.

    Returns
    -------
    ndarray
        int64 or uint64 of integers, exact; the dtype of ``a`` of floats, within ``n * 2**-53`` relative. With a float
        ``dtype`` integers are converted to it before they are multiplied, as NumPy does.

    Examples
    --------
    >>> unisono.cumprod([2, 3, 4])
    array([ 2,  6, 24])
    """
    return _scan("cumprod", a, axis, "exclusive" if exclusive else "inclusive", reverse, wrapping, device, out, dtype)


def nancumsum(a, axis=None, device="auto", out=None, *, dtype=None, exclusive=False, reverse=False, wrapping=False):
    """:func:`cumsum` that passes over NaN, as :func:`numpy.nancumsum`: as if it were 0.

    Parameters
    ----------
    a, axis, device, out, dtype, exclusive, reverse, wrapping
        As for :func:`cumsum`, and so is the result.

    Examples
    --------
    >>> unisono.nancumsum([1.0, np.nan, 2.0])
    array([1., 1., 3.])
    """
    return _scan("cumsum", a, axis, "exclusive" if exclusive else "inclusive", reverse, wrapping, device, out, dtype, True)


def nancumprod(a, axis=None, device="auto", out=None, *, dtype=None, exclusive=False, reverse=False, wrapping=False):
    """:func:`cumprod` that passes over NaN, as :func:`numpy.nancumprod`: as if it were 1.

    Parameters
    ----------
    a, axis, device, out, dtype, exclusive, reverse, wrapping
        As for :func:`cumprod`, and so is the result.

    Examples
    --------
    >>> unisono.nancumprod([3.0, np.nan, 2.0])
    array([3., 3., 6.])
    """
    return _scan("cumprod", a, axis, "exclusive" if exclusive else "inclusive", reverse, wrapping, device, out, dtype, True)


def cummax(a, axis=None, device="auto", out=None, *, reverse=False):
    """Running maxima along an axis, as ``numpy.maximum.accumulate``.

    Parameters
    ----------
    a, axis, device, out, reverse
        As for :func:`cumsum`.

    Returns
    -------
    ndarray
        The dtype of ``a``. NaN from the first NaN on; +0.0 is larger than -0.0.

    Examples
    --------
    >>> unisono.cummax([1, 3, 2, 5])
    array([1, 3, 3, 5])
    """
    return _scan("cummax", a, axis, "inclusive", reverse, False, device, out)


def cummin(a, axis=None, device="auto", out=None, *, reverse=False):
    """Running minima along an axis, as ``numpy.minimum.accumulate``.

    Parameters
    ----------
    a, axis, device, out, reverse
        As for :func:`cumsum`.

    Returns
    -------
    ndarray
        The dtype of ``a``. NaN from the first NaN on; -0.0 is smaller than +0.0.

    Examples
    --------
    >>> unisono.cummin([4, 3, 5, 1], reverse=True)
    array([1, 1, 1, 1])
    """
    return _scan("cummin", a, axis, "inclusive", reverse, False, device, out)


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False, reverse=False, wrapping=False, device="auto", out=None):
    """Running sums, as :func:`numpy.cumulative_sum`: :func:`cumsum` of the array API.

    Parameters
    ----------
    x : array_like
        Any real dtype.
    axis : int, optional
        The axis; may be left out for arrays of one axis only.
    include_initial : bool
        The results begin with 0, and there is one more of them than there are elements; with ``reverse`` they end with it.
    dtype, reverse, wrapping, device, out
        As for :func:`cumsum`, and so is the result.

    Examples
    --------
    >>> unisono.cumulative_sum([3, 1, 4], include_initial=True)
    array([0, 3, 4, 8])
    """
    first = "initial" if include_initial else "inclusive"
    return _scan("cumsum", x, _only_axis(x, axis), first, reverse, wrapping, device, out, dtype)


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False, reverse=False, wrapping=False, device="auto", out=None):
    """Running products, as :func:`numpy.cumulative_prod`: :func:`cumprod` of the array API.

    Parameters
    ----------
    x, axis, dtype, include_initial, reverse, wrapping, device, out
        As for :func:`cumulative_sum`, where 1 takes the place of 0; the result is that of :func:`cumprod`.

    Examples
    --------
    >>> unisono.cumulative_prod([3, 1, 4], include_initial=True)
    array([ 1,  3,  3, 12])
    """
    first = "initial" if include_initial else "inclusive"
    return _scan("cumprod", x, _only_axis(x, axis), first, reverse, wrapping, device, out, dtype)


def _only_axis(x, axis):
    if axis is None:
        rank = x.ndim if hasattr(x, "ndim") else np.ndim(x)
        if rank != 1:
            raise ValueError(f"axis: got None for an array of {rank} axes, expected an axis")
        return 0
    return axis


def _scan(op, a, axis, first, reverse, wrapping, device, out, dtype=None, skip=False):
    axis = None if axis is None else _integer("axis", axis)
    dtype = None if dtype is None else np.dtype(dtype)
    a = _multiplied(a, dtype, device) if op == "cumprod" else a
    return _unisono.scan(op, a, axis, first, bool(reverse), bool(wrapping), dtype, skip, device, out)


def median(a, axis=None, keepdims=False, device="auto", out=None, *, where=None):
    """Median of all elements or along some axes, as :func:`numpy.median`.

    Parameters
    ----------
    a : array_like
        Any real dtype.
    axis : int or tuple of int, optional
        The axes; all of them if not given.
    keepdims : bool
        Leave the axes in the result with length 1.
    device : str or Backend
        Where to compute.
    out : ndarray or Array, optional
        Where the result goes.
    where : array_like of bool, optional
        Only the elements that it is true for; broadcast to ``a``.

    Returns
    -------
    NumPy scalar or ndarray
        float64, or float32 of float32: the middle element, or the mean of the middle two, rounded once. NaN where there is
        one. The same bits on every device.

    Raises
    ------
    ValueError
        Also for the median of nothing.

    Examples
    --------
    >>> unisono.median([3, 1, 2, 10])
    np.float64(2.5)
    """
    return _with(a, None, True, "linear", axis, keepdims, False, None, where, device, out)


def nanmedian(a, axis=None, keepdims=False, device="auto", out=None, *, where=None):
    """:func:`median` that passes over NaN, as :func:`numpy.nanmedian`; NaN where there is nothing else.

    Parameters
    ----------
    a, axis, keepdims, device, out, where
        As for :func:`median`, and so is the result.

    Examples
    --------
    >>> unisono.nanmedian([3, np.nan, 2])
    np.float64(2.5)
    """
    return _with(a, None, True, "linear", axis, keepdims, True, None, where, device, out)


def quantile(a, q, axis=None, keepdims=False, device="auto", out=None, *, method="linear", weights=None, where=None):
    """Quantiles of all elements or along some axes, as :func:`numpy.quantile`.

    Parameters
    ----------
    q : float or array_like of float
        Which quantiles, each from 0 to 1. An array puts its axes in front of those of the result.
    method : str
        ``inverted_cdf``, ``averaged_inverted_cdf``, ``closest_observation``, ``interpolated_inverted_cdf``, ``hazen``,
        ``weibull``, ``linear``, ``median_unbiased``, ``normal_unbiased``, ``lower``, ``higher``, ``midpoint`` or ``nearest``.
    weights : array_like, optional
        How much each element counts, for ``method="inverted_cdf"``: of the shape of ``a``, or of the lengths of ``axis`` in the
        order given there. Sums of weights are exact.
    where : array_like of bool, optional
        As for :func:`median`.
    a, axis, keepdims, device, out
        As for :func:`median`.

    Returns
    -------
    NumPy scalar or ndarray
        float64, or float32 of float32; the dtype of ``a`` for methods that return elements. The elements that a quantile
        lies between are exact; the rest is NumPy's arithmetic in float64, rounded once. NaN where there is one.

    Raises
    ------
    ValueError
        Also for ``q`` outside 0 to 1 and for quantiles of nothing.

    Examples
    --------
    >>> unisono.quantile([7, 1, 4, 3, 9], [0.25, 0.9])
    array([3. , 8.2])
    """
    return _quantile(a, np.asarray(q, dtype=np.float64), axis, keepdims, device, out, method, False, weights, where)


def nanquantile(a, q, axis=None, keepdims=False, device="auto", out=None, *, method="linear", weights=None, where=None):
    """:func:`quantile` that passes over NaN, as :func:`numpy.nanquantile`; NaN where there is nothing else.

    Parameters
    ----------
    a, q, axis, keepdims, device, out, method, weights, where
        As for :func:`quantile`, and so is the result.

    Examples
    --------
    >>> unisono.nanquantile([7, np.nan, 4], 0.5)
    np.float64(5.5)
    """
    return _quantile(a, np.asarray(q, dtype=np.float64), axis, keepdims, device, out, method, True, weights, where)


def percentile(a, q, axis=None, keepdims=False, device="auto", out=None, *, method="linear", weights=None, where=None):
    """:func:`quantile` with ``q`` from 0 to 100, as :func:`numpy.percentile`.

    Parameters
    ----------
    a, q, axis, keepdims, device, out, method, weights, where
        As for :func:`quantile`, but for the range of ``q``, and so is the result.

    Examples
    --------
    >>> unisono.percentile([[10, 7, 4], [3, 2, 1]], 50, axis=0)
    array([6.5, 4.5, 2.5])
    """
    return _quantile(a, np.true_divide(q, 100.0), axis, keepdims, device, out, method, False, weights, where)


def nanpercentile(a, q, axis=None, keepdims=False, device="auto", out=None, *, method="linear", weights=None, where=None):
    """:func:`percentile` that passes over NaN, as :func:`numpy.nanpercentile`.

    Parameters
    ----------
    a, q, axis, keepdims, device, out, method, weights, where
        As for :func:`percentile`, and so is the result.

    Examples
    --------
    >>> unisono.nanpercentile([7, np.nan, 4], 100)
    np.float64(7.0)
    """
    return _quantile(a, np.true_divide(q, 100.0), axis, keepdims, device, out, method, True, weights, where)


def _quantile(a, q, axis, keepdims, device, out, method, ignore, weights, where):
    q = np.asarray(q)
    points = [float(point) for point in q.ravel()]
    if q.ndim <= 1:
        return _with(a, points, q.ndim == 0, method, axis, keepdims, ignore, weights, where, device, out)
    if out is not None:
        raise ValueError(f"out: got an array for q of {q.ndim} axes, expected q of at most one")
    result = _with(a, points, False, method, axis, keepdims, ignore, weights, where, device, None)
    host = np.asarray(result)
    host = host.reshape(q.shape + host.shape[1:])
    return _unisono.upload(host, device) if isinstance(result, _unisono.Array) else host


def _with(a, points, scalar, method, axis, keepdims, ignore, weights, where, device, out):
    """Quantiles, with weights or a mask if there are any, which broadcast to the array."""
    axes = _axes(axis)
    if weights is not None:
        a = _array(a)
        weights = _spread(_array(weights), a.shape, axes)
    if where is not None and not isinstance(where, _unisono.Array):
        where = np.asanyarray(where, dtype=np.bool_)
    return _unisono.quantile(a, points, scalar, method, axes, _keepdims(keepdims), ignore, weights, where, device, out)


def _spread(weights, shape, axes):
    """Weights that broadcast to ``shape``: those along some axes only are put where these are."""
    rank = len(shape)
    if weights.shape == shape or any(not -rank <= axis < rank for axis in axes or ()):
        return weights
    axes = [axis % rank for axis in axes or ()]
    if axes and weights.shape == tuple(shape[axis] for axis in axes):
        weights = weights.numpy() if isinstance(weights, _unisono.Array) else weights
        return weights.transpose(np.argsort(axes)).reshape([n if axis in axes else 1 for axis, n in enumerate(shape)])
    if weights.ndim != rank:
        raise ValueError(f"shape of the weights: got {weights.shape}, expected {shape} or the lengths of the axes")
    return weights


def topk(a, k, axis=-1, largest=True, device="auto"):
    """The ``k`` largest or smallest elements along an axis, the best first, and their indices, as :func:`torch.topk`.

    Parameters
    ----------
    a : array_like
        Any real dtype.
    k : int
        How many.
    axis : int
        The axis.
    largest : bool
        The largest, else the smallest.
    device : str or Backend
        Where to compute.

    Returns
    -------
    values : ndarray
        The dtype of ``a``.
    indices : ndarray of int64, or Array of uint64
        Of equal elements the first come first; -0.0 equals +0.0, NaN is the largest. The same on every device.

    Raises
    ------
    ValueError
        Also if there are fewer than ``k`` elements.

    Examples
    --------
    >>> unisono.topk([3, 9, 1, 9], 3)
    (array([9, 9, 3]), array([1, 3, 0]))
    """
    return _unisono.topk(a, k, _integer("axis", axis), bool(largest), device)


def logsumexp(a, axis=None, b=None, keepdims=False, return_sign=False, device="auto"):
    """``log(sum(b * exp(a)))`` without overflow, as :func:`scipy.special.logsumexp`.

    Parameters
    ----------
    a : array_like
        The exponents, of any real dtype.
    axis : int or tuple of int, optional
        The axes; all of them if not given.
    b : array_like, optional
        Factors, which broadcast with ``a``.
    keepdims : bool
        Leave the axes in the result with length 1.
    return_sign : bool
        Return the logarithm of the sum's magnitude, and its sign.
    device : str or Backend
        Where to compute.

    Returns
    -------
    NumPy scalar or ndarray
        float64, or float32 of float32. Without factors within ``(4 + log(n)) * 2**-53``, and ``2**-52`` relative. NaN if the
        sum is negative and its sign was not asked for.
    sign : NumPy scalar or ndarray
        With ``return_sign``.

    Examples
    --------
    >>> unisono.logsumexp([1000.0, 1000.0])
    np.float64(1000.6931471805599)
    """
    return _unisono.logsumexp(a, b, _axes(axis), _keepdims(keepdims), bool(return_sign), device)
