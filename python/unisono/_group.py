"""Histograms, counts of integers and reductions by label."""

import numpy as np

from . import _reductions, _unisono
from ._filters import _array, _index
from ._functions import _fit


def histogram(a, bins=10, range=None, weights=None, density=False, device="auto"):
    """How many elements lie in each bin, as :func:`numpy.histogram`.

    Parameters
    ----------
    a : array_like
        Any real dtype, of any shape.
    bins : int, array_like or str
        How many bins of equal width, or their edges, which do not descend, or one of NumPy's rules (``"auto"`` …).
    range : (float, float), optional
        From where to where; the smallest and the largest element if not given.
    weights : array_like, optional
        Of the shape of ``a``: their exact sums, rounded once, instead of counts.
    density : bool
        Divide by the bins' widths and the sum of all.
    device : str or Backend
        Where to compute.

    Returns
    -------
    hist : ndarray
        int64 without weights; of float weights their dtype, of integer weights int64 or uint64; float64 with ``density``.
        Bins are half open, the last one is closed; elements outside of all, and NaN, are passed over. Elements and edges are
        compared as float64, also integers (NumPy compares those exactly with integer edges). The same bits on every device.
    edges : ndarray
        Those that NumPy computes.

    Raises
    ------
    ValueError
        Bins that are none or descend, a range that is not finite, weights of another shape.

    Examples
    --------
    >>> unisono.histogram([1, 2, 2, 5], bins=4)
    (array([1, 2, 0, 1]), array([1., 2., 3., 4., 5.]))
    """
    edges = _edges(a, bins, range, weights, device)
    return _unisono.histogram(a, [float(edge) for edge in edges], weights, bool(density), device), edges


def _edges(a, bins, range, weights, device):
    """The edges that NumPy finds."""
    if isinstance(bins, str):
        return np.histogram_bin_edges(np.asarray(a), bins, range, weights)
    if np.ndim(bins) == 0:
        return np.histogram_bin_edges(_extremes(a, range, device), bins, range)
    edges = np.asarray(bins)
    if edges.ndim != 1 or np.any(edges[:-1] > edges[1:]):
        raise ValueError("bins: got an array that descends or has several axes, expected one axis that does not descend")
    return edges


def _extremes(a, range, device):
    """An array with the dtype and the extremes of ``a``: all that NumPy needs to find edges."""
    a = _array(a)
    if range is not None or a.size == 0:
        return np.zeros(0, dtype=a.dtype)
    return np.array([find(a, device=device).item() for find in (_reductions.min, _reductions.max)], dtype=a.dtype)


def bincount(x, weights=None, minlength=0, device="auto"):
    """How often each integer occurs, as :func:`numpy.bincount`.

    Parameters
    ----------
    x : array_like of int
        Not negative.
    weights : array_like, optional
        Of the shape of ``x``: their exact sums, rounded once to float64, instead of counts.
    minlength : int
        Elements of the result at least.
    device : str or Backend
        Where to compute.

    Returns
    -------
    ndarray of int64 or float64

    Examples
    --------
    >>> unisono.bincount([0, 2, 2, 5])
    array([1, 0, 2, 0, 0, 1])
    """
    return _unisono.bincount(x, weights, minlength, device)


def sum_by_label(values, labels, index=None, device="auto"):
    """Sum of the values of each label, as :func:`scipy.ndimage.sum_labels`.

    Parameters
    ----------
    values : array_like
        Any real dtype.
    labels : array_like of int
        To which label each value belongs; broadcast to the shape of ``values``.
    index : int or array_like of int, optional
        The labels of which a result is wanted; all labels above 0 together if not given.
    device : str or Backend
        Where to compute.

    Returns
    -------
    NumPy scalar or ndarray of the shape of ``index``
        float64 of floats, exact and rounded once; int64 or uint64 of integers, exact. 0 for a label that does not occur.
        The same bits on every device.

    Raises
    ------
    ValueError
        Also if the sum of integers does not fit.

    Examples
    --------
    >>> unisono.sum_by_label([1.0, 2.0, 4.0, 8.0], [1, 3, 1, 0], index=[1, 2, 3])
    array([5., 0., 2.])
    """
    return _by_label("sum", values, labels, index, device)


def mean_by_label(values, labels, index=None, device="auto"):
    """Mean of the values of each label, as :func:`scipy.ndimage.mean`: float64, rounded once.

    NaN for a label that does not occur.

    Parameters
    ----------
    values, labels, index, device
        As for :func:`sum_by_label`.

    Examples
    --------
    >>> unisono.mean_by_label([1, 2, 4, 8], [1, 3, 1, 0], index=[1, 3])
    array([2.5, 2. ])
    """
    return _by_label("mean", values, labels, index, device)


def min_by_label(values, labels, index=None, device="auto"):
    """Smallest value of each label, as :func:`scipy.ndimage.minimum`.

    The dtype of ``values``; NaN where there is one, 0 for a label that does not occur.

    Parameters
    ----------
    values, labels, index, device
        As for :func:`sum_by_label`.

    Examples
    --------
    >>> unisono.min_by_label([1, 2, 4, 8], [1, 3, 1, 0], index=[1, 3])
    array([1, 2])
    """
    return _by_label("min", values, labels, index, device)


def max_by_label(values, labels, index=None, device="auto"):
    """Largest value of each label, as :func:`scipy.ndimage.maximum`.

    Parameters
    ----------
    values, labels, index, device
        As for :func:`min_by_label`, and so is the result.

    Examples
    --------
    >>> unisono.max_by_label([1, 2, 4, 8], [1, 3, 1, 0], index=[1, 3])
    array([4, 2])
    """
    return _by_label("max", values, labels, index, device)


def argmin_by_label(values, labels, index=None, device="auto"):
    """Index, in C order, of the first smallest value of each label, as of :func:`scipy.ndimage.minimum_position`.

    int64; the first NaN wins, -0.0 equals +0.0; 0 for a label that does not occur.

    Parameters
    ----------
    values, labels, index, device
        As for :func:`sum_by_label`.

    Examples
    --------
    >>> unisono.argmin_by_label([4, 2, 1, 8], [1, 3, 1, 0], index=[1, 3])
    array([2, 1])
    """
    return _by_label("argmin", values, labels, index, device)


def argmax_by_label(values, labels, index=None, device="auto"):
    """Index, in C order, of the first largest value of each label.

    Parameters
    ----------
    values, labels, index, device
        As for :func:`argmin_by_label`, and so is the result.

    Examples
    --------
    >>> unisono.argmax_by_label([4, 2, 1, 8], [1, 3, 1, 0], index=[1, 3])
    array([0, 1])
    """
    return _by_label("argmax", values, labels, index, device)


def count_by_label(labels, index=None, device="auto"):
    """Number of elements of each label: int64.

    Parameters
    ----------
    labels, index, device
        As for :func:`sum_by_label`.

    Examples
    --------
    >>> unisono.count_by_label([1, 3, 1, 0], index=[1, 2, 3])
    array([2, 0, 1])
    """
    return _by_label("count", labels, labels, index, device)


def var_by_label(values, labels, index=None, device="auto", *, ddof=0):
    """Variance of the values of each label, as :func:`scipy.ndimage.variance`: exact, rounded once to float64.

    NaN for a label that does not occur.

    Parameters
    ----------
    values, labels, index, device
        As for :func:`sum_by_label`.
    ddof : int
        What is taken off the count.

    Examples
    --------
    >>> unisono.var_by_label([1, 2, 5, 8], [1, 3, 1, 0], index=[1, 3])
    array([4., 0.])
    """
    return _by_label("var", values, labels, index, device, ddof)


def std_by_label(values, labels, index=None, device="auto", *, ddof=0):
    """Standard deviation of the values of each label, as :func:`scipy.ndimage.standard_deviation`: the square root of the
    exact variance, rounded once to float64.

    Parameters
    ----------
    values, labels, index, device, ddof
        As for :func:`var_by_label`, and so is the result for a label that does not occur.

    Examples
    --------
    >>> unisono.std_by_label([1, 2, 5, 8], [1, 3, 1, 0], index=[1, 3])
    array([2., 0.])
    """
    return _by_label("std", values, labels, index, device, ddof)


def median_by_label(values, labels, index=None, device="auto"):
    """Median of the values of each label, as :func:`scipy.ndimage.median`: rounded once to float64.

    NaN where there is one, and for a label that does not occur.

    Parameters
    ----------
    values, labels, index, device
        As for :func:`sum_by_label`.

    Examples
    --------
    >>> unisono.median_by_label([1, 2, 4, 8], [1, 3, 1, 0], index=[1, 3])
    array([2.5, 2. ])
    """
    return _by_label("median", values, labels, index, device)


def min_position_by_label(values, labels, index=None, device="auto"):
    """Where the first smallest value of each label is, as :func:`scipy.ndimage.minimum_position`.

    Parameters
    ----------
    values, labels, index, device
        As for :func:`argmin_by_label`.

    Returns
    -------
    tuple of int, or list of such
        The coordinates; a list with one for each label if ``index`` is a sequence.

    Examples
    --------
    >>> unisono.min_position_by_label([[4, 2], [1, 8]], [[1, 3], [1, 0]], index=[1, 3])
    [(1, 0), (0, 1)]
    """
    return _positions(argmin_by_label(values, labels, index, device), values, labels)


def max_position_by_label(values, labels, index=None, device="auto"):
    """Where the first largest value of each label is, as :func:`scipy.ndimage.maximum_position`.

    Parameters
    ----------
    values, labels, index, device
        As for :func:`argmax_by_label`, and the result as of :func:`min_position_by_label`.

    Examples
    --------
    >>> unisono.max_position_by_label([[4, 2], [1, 8]], [[1, 3], [1, 0]], index=1)
    (0, 0)
    """
    return _positions(argmax_by_label(values, labels, index, device), values, labels)


def extrema_by_label(values, labels, index=None, device="auto"):
    """Smallest and largest value of each label and where they are, as :func:`scipy.ndimage.extrema`.

    Parameters
    ----------
    values, labels, index, device
        As for :func:`sum_by_label`.

    Returns
    -------
    minimums, maximums
        As :func:`min_by_label` and :func:`max_by_label`.
    min_positions, max_positions
        As :func:`min_position_by_label` and :func:`max_position_by_label`.

    Examples
    --------
    >>> unisono.extrema_by_label([1, 2, 4, 8], [1, 3, 1, 0], index=[1, 3])
    (array([1, 2]), array([4, 2]), [(0,), (1,)], [(2,), (1,)])
    """
    least, most = min_by_label(values, labels, index, device), max_by_label(values, labels, index, device)
    at = min_position_by_label(values, labels, index, device), max_position_by_label(values, labels, index, device)
    return least, most, *at


def histogram_by_label(values, bins, labels, index=None, range=None, device="auto"):
    """Histogram of the values of each label, as :func:`scipy.ndimage.histogram`.

    Parameters
    ----------
    bins, range
        As for :func:`histogram`: the same bins for every label.
    values, labels, index, device
        As for :func:`sum_by_label`.

    Returns
    -------
    hist : ndarray of int64
        The axes of ``index``, and one for the bins.
    edges : ndarray
        Those of :func:`histogram`.

    Examples
    --------
    >>> unisono.histogram_by_label([0.5, 1.5, 1.7, 0.2], 2, [1, 1, 2, 1], index=[1, 2], range=(0, 2))
    (array([[2, 1],
           [0, 1]]), array([0., 1., 2.]))
    """
    values, labels = _together(values, labels, device)
    edges = _edges(values, bins, range, None, device)
    places, shape = _labels(index)
    found = _unisono.histogram_by_label(values, labels, [float(edge) for edge in edges], places, device)
    return found.reshape(*shape, -1), edges


def _positions(found, values, labels):
    shape = np.broadcast_shapes(*(np.shape(x) if not isinstance(x, _unisono.Array) else x.shape for x in (values, labels)))
    found = np.asarray(found, dtype=np.intp)
    # Without axes there is one place, which NumPy does not unravel several indices to.
    places = zip(*np.unravel_index(found.ravel(), shape), strict=True) if shape else [()] * found.size
    places = [tuple(int(i) for i in place) for place in places]
    return places[0] if np.ndim(found) == 0 else places


def _together(values, labels, device):
    """Both with one shape."""
    values, labels = _array(values), _array(labels)
    shape = np.broadcast_shapes(values.shape, labels.shape)
    return _fit(values, shape, device), _fit(labels, shape, device)


def _labels(index):
    """The labels asked for as a list, and the shape of the result."""
    if index is None:
        return None, ()
    index = np.asarray(index)
    return [_index("index", label) for label in index.ravel()], index.shape


def _by_label(op, values, labels, index, device, ddof=0):
    values, labels = _together(values, labels, device)
    places, shape = _labels(index)
    result = _unisono.by_label(op, values, labels, places, ddof, device)
    return result if index is None else result.reshape(shape)[()]
