"""Histograms, counts of integers and reductions by label."""

import operator

import numpy as np

from . import _reductions, _unisono


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
        Bins are half open, the last one is closed; elements outside of all, and NaN, are passed over. The same bits on every
        device.
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
    if isinstance(bins, str):
        edges = np.histogram_bin_edges(np.asarray(a), bins, range, weights)
    elif np.ndim(bins) == 0:
        edges = np.histogram_bin_edges(_extremes(a, range, device), bins, range)
    else:
        edges = np.asarray(bins)
        if edges.ndim != 1 or np.any(edges[:-1] > edges[1:]):
            raise ValueError("bins: got an array that descends or has several axes, expected one axis that does not descend")
    return _unisono.histogram(a, [float(edge) for edge in edges], weights, bool(density), device), edges


def _extremes(a, range, device):
    """An array with the dtype and the extremes of ``a``: all that NumPy needs to find edges."""
    if not isinstance(a, (np.ndarray, _unisono.Array)):
        a = np.asarray(a)
    if range is not None or a.size == 0:
        return np.zeros(0, dtype=a.dtype)
    return np.array([_reductions.min(a, device=device), _reductions.max(a, device=device)], dtype=a.dtype).ravel()


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
    return _unisono.bincount(x, weights, operator.index(minlength), device)


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
    """Mean of the values of each label, as :func:`scipy.ndimage.mean`: float64, rounded once. See :func:`sum_by_label`.

    NaN for a label that does not occur.

    Examples
    --------
    >>> unisono.mean_by_label([1, 2, 4, 8], [1, 3, 1, 0], index=[1, 3])
    array([2.5, 2. ])
    """
    return _by_label("mean", values, labels, index, device)


def min_by_label(values, labels, index=None, device="auto"):
    """Smallest value of each label, as :func:`scipy.ndimage.minimum`. See :func:`sum_by_label`.

    The dtype of ``values``; NaN where there is one, 0 for a label that does not occur.

    Examples
    --------
    >>> unisono.min_by_label([1, 2, 4, 8], [1, 3, 1, 0], index=[1, 3])
    array([1, 2])
    """
    return _by_label("min", values, labels, index, device)


def max_by_label(values, labels, index=None, device="auto"):
    """Largest value of each label, as :func:`scipy.ndimage.maximum`. See :func:`min_by_label`.

    Examples
    --------
    >>> unisono.max_by_label([1, 2, 4, 8], [1, 3, 1, 0], index=[1, 3])
    array([4, 2])
    """
    return _by_label("max", values, labels, index, device)


def argmin_by_label(values, labels, index=None, device="auto"):
    """Index, in C order, of the first smallest value of each label, as of :func:`scipy.ndimage.minimum_position`.

    int64; the first NaN wins, -0.0 equals +0.0; 0 for a label that does not occur. See :func:`sum_by_label`.

    Examples
    --------
    >>> unisono.argmin_by_label([4, 2, 1, 8], [1, 3, 1, 0], index=[1, 3])
    array([2, 1])
    """
    return _by_label("argmin", values, labels, index, device)


def argmax_by_label(values, labels, index=None, device="auto"):
    """Index, in C order, of the first largest value of each label. See :func:`argmin_by_label`.

    Examples
    --------
    >>> unisono.argmax_by_label([4, 2, 1, 8], [1, 3, 1, 0], index=[1, 3])
    array([0, 1])
    """
    return _by_label("argmax", values, labels, index, device)


def count_by_label(labels, index=None, device="auto"):
    """Number of elements of each label: int64. See :func:`sum_by_label`.

    Examples
    --------
    >>> unisono.count_by_label([1, 3, 1, 0], index=[1, 2, 3])
    array([2, 0, 1])
    """
    return _by_label("count", labels, labels, index, device)


def _by_label(op, values, labels, index, device):
    if not isinstance(values, _unisono.Array) and not isinstance(labels, _unisono.Array):
        values, labels = np.broadcast_arrays(np.asarray(values), np.asarray(labels))
    if index is None:
        return _unisono.by_label(op, values, labels, None, device)
    index = np.asarray(index)
    result = _unisono.by_label(op, values, labels, [operator.index(label) for label in index.ravel()], device)
    result = result.reshape(index.shape)
    return result[()] if index.ndim == 0 else result
