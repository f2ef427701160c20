"""The reductions: signatures, defaults and documentation over the native half."""

import itertools

import numpy as np

from . import _unisono
from ._filters import _array
from ._functions import _axes, _fit, _keepdims, _multiplied


def _reduce(
    op,
    a,
    axis,
    keepdims,
    device,
    out,
    *,
    second=None,
    order=2.0,
    ddof=0,
    dtype=None,
    initial=None,
    where=None,
    overflow="error",
    mode="exact",
    skip=False,
):
    if where is not None and where is not True:
        second = _mask(where)
    dtype = None if dtype is None else np.dtype(dtype)
    options = (_order(order), ddof, dtype, initial, overflow, mode, skip)
    return _unisono.reduce(op, a, second, _axes(axis), _keepdims(keepdims), options, device, out)


def _mask(where):
    return where if isinstance(where, _unisono.Array) else np.asanyarray(where, dtype=bool)


def _order(ord):
    """The order of a norm of vectors."""
    try:
        return float(ord)
    except (TypeError, ValueError):
        expected = "a number, inf or -inf: the order of a norm of vectors"
        raise ValueError(f"ord: got {ord!r}, expected {expected}") from None


def sum(a, axis=None, keepdims=False, device="auto", out=None, *, dtype=None, initial=None, where=None, overflow="error", mode="exact"):
    """Sum over all axes or some, exactly: floats are rounded once, at the end.

    Parameters
    ----------
    a : array_like
        The elements.
    axis : int or tuple of int, optional
        The axes to sum over; all by default.
    keepdims : bool
        Leave the reduced axes in the result with length 1.
    device : str or Backend
        Where to compute.
    out : ndarray or Array, optional
        Array of the result's shape and dtype to write to.
    dtype : dtype, optional
        Dtype of the result: the exact sum is rounded or narrowed to it, once (NumPy converts the elements first). Floats
        have sums of any float dtype, integers of any integer or float dtype.
    initial : scalar, optional
        One more element in front of each sum.
    where : array_like of bool, optional
        Which elements count, broadcast to the shape of ``a``.
    overflow : {"error", "wrap", "saturate"}
        What becomes of an integer sum that its dtype cannot hold; ``"wrap"`` is what NumPy does.
    mode : {"exact", "fast"}
        ``"fast"`` allows plain additions, in the order that suits the device: **not reproducible**, and worth it for data
        in a cache only.

    Returns
    -------
    NumPy scalar or ndarray
        uint64 for bool and unsigned integers, int64 for signed integers, the dtype of ``a`` for floats; ``out`` if it was
        given; an :class:`Array` if ``a`` is one.

    Raises
    ------
    ValueError
        An axis that does not exist, an ``out`` that does not fit, an integer sum that does not fit 64 bits.
    TypeError
        A dtype that is not computed with.

    Notes
    -----
    The sum of floats is the exact sum of the elements, rounded to nearest even: no order of summation, device or number of
    threads changes a bit, and it equals :func:`math.fsum` wherever that returns. The sum of nothing is +0, of only -0.0
    it is -0.0; NaN and infinities are as IEEE addition gives them.

    Examples
    --------
    >>> unisono.sum([1e100, 1.0, -1e100])
    np.float64(1.0)
    >>> unisono.sum(np.ones((2, 3), dtype=np.uint8), axis=0)
    array([2, 2, 2], dtype=uint64)
    """
    return _reduce("sum", a, axis, keepdims, device, out, dtype=dtype, initial=initial, where=where, overflow=overflow, mode=mode)


def prod(a, axis=None, keepdims=False, device="auto", out=None, *, dtype=None, initial=None, where=None, overflow="error"):
    """Multiply over all axes or some.

    Parameters
    ----------
    a, axis, keepdims, device, out, dtype, initial, where, overflow
        As for :func:`sum`.

    Returns
    -------
    NumPy scalar or ndarray
        Dtypes as for :func:`sum`. Integers are exact, and a ``ValueError`` if they do not fit 64 bits; floats are within
        ``n * 2**-53`` relative, with no overflow or underflow before the end. With a float ``dtype`` integers are
        converted to it before they are multiplied, as NumPy does.

    Examples
    --------
    >>> unisono.prod([2, 3, 7])
    np.int64(42)
    >>> unisono.prod([2.0**800, 2.0**800, 2.0**-800, 2.0**-800])
    np.float64(1.0)
    """
    a = _multiplied(a, dtype, device)
    return _reduce("prod", a, axis, keepdims, device, out, dtype=dtype, initial=initial, where=where, overflow=overflow)


def mean(a, axis=None, keepdims=False, device="auto", out=None, *, dtype=None, where=None, mode="exact"):
    """Arithmetic mean over all axes or some: the exact mean, rounded once.

    Parameters
    ----------
    a, axis, keepdims, device, out, dtype, where, mode
        As for :func:`sum`.

    Returns
    -------
    NumPy scalar or ndarray
        float64, or float32 for float32. NaN for nothing.

    Examples
    --------
    >>> unisono.mean([1, 2, 4, 6])
    np.float64(3.25)
    >>> unisono.mean(np.array([3e38, 3e38], dtype=np.float32))
    np.float32(3e+38)
    """
    return _reduce("mean", a, axis, keepdims, device, out, dtype=dtype, where=where, mode=mode)


def min(a, axis=None, keepdims=False, device="auto", out=None, *, initial=None, where=None):
    """Smallest element over all axes or some.

    Parameters
    ----------
    a, axis, keepdims, device, out, initial, where
        As for :func:`sum`.

    Returns
    -------
    NumPy scalar or ndarray
        The dtype of ``a``. NaN if there is one; -0.0 is smaller than +0.0.

    Raises
    ------
    ValueError
        Also for the smallest of nothing.

    Examples
    --------
    >>> unisono.min([[3, 1], [2, 5]], axis=1)
    array([1, 2])
    """
    return _reduce("min", a, axis, keepdims, device, out, initial=initial, where=where)


def max(a, axis=None, keepdims=False, device="auto", out=None, *, initial=None, where=None):
    """Largest element over all axes or some.

    Parameters
    ----------
    a, axis, keepdims, device, out, initial, where
        As for :func:`sum`.

    Returns
    -------
    NumPy scalar or ndarray
        The dtype of ``a``. NaN if there is one; +0.0 is larger than -0.0.

    Raises
    ------
    ValueError
        Also for the largest of nothing.

    Examples
    --------
    >>> unisono.max([[3, 1], [2, 5]], axis=1, keepdims=True)
    array([[3],
           [5]])
    """
    return _reduce("max", a, axis, keepdims, device, out, initial=initial, where=where)


def argmin(a, axis=None, keepdims=False, device="auto", out=None):
    """Index of the first smallest element over all axes or some.

    Parameters
    ----------
    a, axis, keepdims, device, out
        As for :func:`sum`.

    Returns
    -------
    int or ndarray of int64, or Array of uint64
        The index in C order among the elements reduced over. The first NaN wins; -0.0 and +0.0 are equal. ``out`` may be an
        ndarray of int64 or uint64, or an Array of uint64.

    Raises
    ------
    ValueError
        Also for the smallest of nothing.

    Examples
    --------
    >>> unisono.argmin([3, 1, 2, 1])
    1
    """
    return _reduce("argmin", a, axis, keepdims, device, out)


def argmax(a, axis=None, keepdims=False, device="auto", out=None):
    """Index of the first largest element over all axes or some.

    Parameters
    ----------
    a, axis, keepdims, device, out
        As for :func:`sum`.

    Returns
    -------
    int or ndarray of int64, or Array of uint64
        As for :func:`argmin`.

    Raises
    ------
    ValueError
        Also for the largest of nothing.

    Examples
    --------
    >>> unisono.argmax([[3, 1], [2, 5]], axis=0)
    array([0, 1])
    """
    return _reduce("argmax", a, axis, keepdims, device, out)


def any(a, axis=None, keepdims=False, device="auto", out=None, *, where=None):
    """Whether any element is nonzero (NaN is), over all axes or some.

    Parameters
    ----------
    a, axis, keepdims, device, out, where
        As for :func:`sum`.

    Returns
    -------
    bool or ndarray of bool

    Examples
    --------
    >>> unisono.any([0.0, 0.5])
    True
    """
    return _reduce("any", a, axis, keepdims, device, out, where=where)


def all(a, axis=None, keepdims=False, device="auto", out=None, *, where=None):
    """Whether all elements are nonzero (NaN is), over all axes or some.

    Parameters
    ----------
    a, axis, keepdims, device, out, where
        As for :func:`sum`.

    Returns
    -------
    bool or ndarray of bool

    Examples
    --------
    >>> unisono.all([[1, 0], [1, 1]], axis=1)
    array([False,  True])
    """
    return _reduce("all", a, axis, keepdims, device, out, where=where)


def count_nonzero(a, axis=None, keepdims=False, device="auto", out=None, *, where=None):
    """Number of nonzero elements (NaN is one) over all axes or some.

    Parameters
    ----------
    a, axis, keepdims, device, out, where
        As for :func:`sum`.

    Returns
    -------
    int or ndarray of int64, or Array of uint64
        ``out`` as for :func:`argmin`.

    Examples
    --------
    >>> unisono.count_nonzero([0, 3, 0, 4])
    2
    """
    return _reduce("count_nonzero", a, axis, keepdims, device, out, where=where)


def var(a, axis=None, keepdims=False, device="auto", out=None, *, ddof=0, dtype=None, where=None):
    """Variance over all axes or some: the exact value, rounded once.

    Parameters
    ----------
    a, axis, keepdims, device, out, dtype, where
        As for :func:`sum`; ``dtype`` is float32 or float64.
    ddof : int
        What is taken off the count that is divided by: 1 for the unbiased estimate from a sample.

    Returns
    -------
    NumPy scalar or ndarray
        float64, or float32 for float32. ``sum((x - mean)**2) / (n - ddof)`` in exact arithmetic, rounded once: no offset,
        however large, costs a digit. NaN for nothing, or with an infinity or NaN among the elements.

    Examples
    --------
    >>> unisono.var([1e9, 1e9 + 1, 1e9 + 2], ddof=1)
    np.float64(1.0)
    """
    return _reduce("var", a, axis, keepdims, device, out, ddof=ddof, dtype=dtype, where=where)


def std(a, axis=None, keepdims=False, device="auto", out=None, *, ddof=0, dtype=None, where=None):
    """Standard deviation over all axes or some: the square root of the exact :func:`var`, rounded once.

    Parameters
    ----------
    a, axis, keepdims, device, out, ddof, dtype, where
        As for :func:`var`, and so is the result.

    Examples
    --------
    >>> unisono.std([1, 3])
    np.float64(1.0)
    """
    return _reduce("std", a, axis, keepdims, device, out, ddof=ddof, dtype=dtype, where=where)


def ptp(a, axis=None, keepdims=False, device="auto", out=None, *, overflow="error"):
    """Largest element less the smallest, over all axes or some.

    Parameters
    ----------
    a, axis, keepdims, device, out, overflow
        As for :func:`sum`.

    Returns
    -------
    NumPy scalar or ndarray
        The dtype of ``a``; of floats rounded once.

    Raises
    ------
    ValueError
        Also for nothing, and for a difference that the integer dtype cannot hold (NumPy's wraps).

    Examples
    --------
    >>> unisono.ptp([[1, 7, 3], [2, 2, 2]], axis=1)
    array([6, 0])
    """
    return _reduce("ptp", a, axis, keepdims, device, out, overflow=overflow)


def norm(a, ord=2, axis=None, keepdims=False, device="auto", out=None, *, dtype=None, where=None):
    """Norm of all elements, or of those along some axes, as vectors.

    Parameters
    ----------
    a : array_like
        The elements.
    ord : float
        2: ``sqrt(sum(x**2))``; 1: ``sum(abs(x))``; ``inf`` and ``-inf``: the largest and the smallest magnitude; 0: the
        number of nonzero elements; any other ``p``: ``sum(abs(x)**p)**(1/p)``.
    axis, keepdims, device, out, dtype, where
        As for :func:`sum`; ``dtype`` is float32 or float64.

    Returns
    -------
    NumPy scalar or ndarray
        float64, or float32 for float32. For orders 1 and 2 the exact value, rounded once: it overflows only if that does.
        For other ``p`` within ``(4 + p) / p * 2**-52`` or so, the same bits on every device; powers must not overflow.

    Examples
    --------
    >>> unisono.norm([3e300, 1e-300])
    np.float64(3e+300)
    >>> unisono.norm([[1, -2], [3, 4]], 1, axis=0)
    array([4., 6.])
    """
    return _reduce("norm", a, axis, keepdims, device, out, order=ord, dtype=dtype, where=where)


def vecdot(x1, x2, axis=-1, keepdims=False, device="auto", out=None, *, dtype=None, overflow="error"):
    """Dot products along an axis or several: ``sum(x1 * x2)``, exactly.

    Parameters
    ----------
    x1, x2 : array_like
        Real numbers. Both are converted to NumPy's promotion of their dtypes, and ``x2`` is broadcast to ``x1``, or the
        other way round.
    axis : int, tuple of int or None
        The axes to sum over; None for all.
    keepdims, device, out, dtype, overflow
        As for :func:`sum`.

    Returns
    -------
    NumPy scalar or ndarray
        Dtypes as for :func:`sum`. Of floats the exact sum of the exact products, rounded once, which overflows only if that
        does; an exact zero is +0. Integers are exact. An :class:`Array` if one of the two is.

    Examples
    --------
    >>> unisono.vecdot([[1.0, 2.0], [3.0, 4.0]], [10.0, 1.0])
    array([12., 34.])
    """
    x1, x2 = _array(x1), _array(x2)
    common, shape = np.result_type(x1.dtype, x2.dtype), np.broadcast_shapes(x1.shape, x2.shape)
    # The native half broadcasts the second to the first.
    if x1.shape != shape == x2.shape:
        x1, x2 = x2, x1
    x1, x2 = _fit(x1, shape, device, common), _fit(x2, x2.shape, device, common)
    return _reduce("dot", x1, axis, keepdims, device, out, second=x2, dtype=dtype, overflow=overflow)


def dot(x1, x2, device="auto", out=None, *, dtype=None, overflow="error"):
    """Dot product of two arrays as vectors: :func:`vecdot` over all axes.

    Parameters
    ----------
    x1, x2, device, out, dtype, overflow
        As for :func:`vecdot`.

    Returns
    -------
    NumPy scalar
        As of :func:`vecdot`; ``out`` if it was given; an :class:`Array` without axes if one of the two is one.

    Examples
    --------
    >>> unisono.dot([1e200, 1.0, 1e200], [1e200, 3.0, -1e200])
    np.float64(3.0)
    """
    return vecdot(x1, x2, None, False, device, out, dtype=dtype, overflow=overflow)


def nansum(a, axis=None, keepdims=False, device="auto", out=None, *, dtype=None, initial=None, where=None, overflow="error", mode="exact"):
    """:func:`sum` without NaN; of NaN alone 0.

    Parameters
    ----------
    a, axis, keepdims, device, out, dtype, initial, where, overflow, mode
        As for :func:`sum`, and so is the result.

    Examples
    --------
    >>> unisono.nansum([1.0, np.nan, 2.0])
    np.float64(3.0)
    """
    options = {"dtype": dtype, "initial": initial, "where": where, "overflow": overflow, "mode": mode}
    return _reduce("sum", a, axis, keepdims, device, out, **options, skip=True)


def nanprod(a, axis=None, keepdims=False, device="auto", out=None, *, dtype=None, initial=None, where=None, overflow="error"):
    """:func:`prod` without NaN; of NaN alone 1.

    Parameters
    ----------
    a, axis, keepdims, device, out, dtype, initial, where, overflow
        As for :func:`prod`, and so is the result.

    Examples
    --------
    >>> unisono.nanprod([2.0, np.nan, 3.0])
    np.float64(6.0)
    """
    a = _multiplied(a, dtype, device)
    options = {"dtype": dtype, "initial": initial, "where": where, "overflow": overflow}
    return _reduce("prod", a, axis, keepdims, device, out, **options, skip=True)


def nanmean(a, axis=None, keepdims=False, device="auto", out=None, *, dtype=None, where=None, mode="exact"):
    """:func:`mean` without NaN; of NaN alone NaN.

    Parameters
    ----------
    a, axis, keepdims, device, out, dtype, where, mode
        As for :func:`mean`, and so is the result.

    Examples
    --------
    >>> unisono.nanmean([1.0, np.nan, 2.0])
    np.float64(1.5)
    """
    return _reduce("mean", a, axis, keepdims, device, out, dtype=dtype, where=where, mode=mode, skip=True)


def nanvar(a, axis=None, keepdims=False, device="auto", out=None, *, ddof=0, dtype=None, where=None):
    """:func:`var` without NaN; of NaN alone NaN.

    Parameters
    ----------
    a, axis, keepdims, device, out, ddof, dtype, where
        As for :func:`var`, and so is the result.

    Examples
    --------
    >>> unisono.nanvar([1.0, np.nan, 3.0])
    np.float64(1.0)
    """
    return _reduce("var", a, axis, keepdims, device, out, ddof=ddof, dtype=dtype, where=where, skip=True)


def nanstd(a, axis=None, keepdims=False, device="auto", out=None, *, ddof=0, dtype=None, where=None):
    """:func:`std` without NaN; of NaN alone NaN.

    Parameters
    ----------
    a, axis, keepdims, device, out, ddof, dtype, where
        As for :func:`std`, and so is the result.

    Examples
    --------
    >>> unisono.nanstd([1.0, np.nan, 3.0])
    np.float64(1.0)
    """
    return _reduce("std", a, axis, keepdims, device, out, ddof=ddof, dtype=dtype, where=where, skip=True)


def nanmin(a, axis=None, keepdims=False, device="auto", out=None, *, initial=None, where=None):
    """:func:`min` without NaN; of NaN alone NaN.

    Parameters
    ----------
    a, axis, keepdims, device, out, initial, where
        As for :func:`min`, and so is the result.

    Examples
    --------
    >>> unisono.nanmin([3.0, np.nan, 2.0])
    np.float64(2.0)
    """
    return _reduce("min", a, axis, keepdims, device, out, initial=initial, where=where, skip=True)


def nanmax(a, axis=None, keepdims=False, device="auto", out=None, *, initial=None, where=None):
    """:func:`max` without NaN; of NaN alone NaN.

    Parameters
    ----------
    a, axis, keepdims, device, out, initial, where
        As for :func:`max`, and so is the result.

    Examples
    --------
    >>> unisono.nanmax([3.0, np.nan, 2.0])
    np.float64(3.0)
    """
    return _reduce("max", a, axis, keepdims, device, out, initial=initial, where=where, skip=True)


def nanargmin(a, axis=None, keepdims=False, device="auto", out=None):
    """:func:`argmin` without NaN; a ``ValueError`` for NaN alone.

    Parameters
    ----------
    a, axis, keepdims, device, out
        As for :func:`argmin`, and so is the result.

    Examples
    --------
    >>> unisono.nanargmin([np.nan, 3.0, 2.0])
    2
    """
    return _reduce("argmin", a, axis, keepdims, device, out, skip=True)


def nanargmax(a, axis=None, keepdims=False, device="auto", out=None):
    """:func:`argmax` without NaN; a ``ValueError`` for NaN alone.

    Parameters
    ----------
    a, axis, keepdims, device, out
        As for :func:`argmax`, and so is the result.

    Examples
    --------
    >>> unisono.nanargmax([np.nan, 3.0, 2.0])
    1
    """
    return _reduce("argmax", a, axis, keepdims, device, out, skip=True)


def reduce_chunks(
    chunks,
    op="sum",
    axis=None,
    keepdims=False,
    device="auto",
    *,
    ord=None,
    ddof=0,
    dtype=None,
    initial=None,
    where=None,
    overflow="error",
    mode="exact",
    nan="propagate",
):
    """Reduce an iterable of chunks that lie end to end along their first axis: data larger than memory, a folder of files.

    Parameters
    ----------
    chunks : iterable of array_like
        Arrays of one dtype, and of one shape but for the length of the first axis: memory-mapped files
        (``np.load(path, mmap_mode="r")``), pieces of one, a generator. Each is read once, and forgotten.
    op : str
        ``"sum"``, ``"mean"``, ``"var"``, ``"std"``, ``"min"``, ``"max"``, ``"ptp"``, ``"argmin"``, ``"argmax"``, ``"any"``,
        ``"all"``, ``"count_nonzero"``, ``"prod"`` or ``"norm"``.
    axis, keepdims, device, dtype, initial, overflow, mode
        As for :func:`sum`, of all chunks as one array.
    ord, ddof
        As for :func:`norm` and :func:`var`, and for these only.
    where : iterable of array_like of bool, optional
        Which elements of each chunk count, broadcast to its shape: as many as there are chunks.
    nan : {"propagate", "ignore"}
        With ``"ignore"``, NaN is passed over.

    Returns
    -------
    NumPy scalar, int, bool or ndarray
        What the function of the name gives for the whole array, to the bit (products of floats: within their bound).

    Examples
    --------
    >>> unisono.reduce_chunks(([x, x + 0.5] for x in range(4)), "mean")
    np.float64(1.75)
    >>> unisono.reduce_chunks([np.ones((2, 3)), np.zeros((5, 3))], "sum", axis=0)
    array([2., 2., 2.])
    """
    if nan not in ("propagate", "ignore"):
        raise ValueError(f'nan: got {nan!r}, expected "propagate" or "ignore"')
    if ord is not None and op != "norm":
        raise ValueError(f"ord: got {ord!r}, expected None: {op} takes none, norm does")
    dtype = None if dtype is None else np.dtype(dtype)
    order = _order(2 if ord is None else ord)
    options = (order, ddof, dtype, initial, overflow, mode, nan == "ignore")
    found = _unisono.Chunked(op, _axes(axis), _keepdims(keepdims), options, device)
    if where is None or where is True:
        for chunk in chunks:
            found.push(chunk)
        return found.finish()
    none = object()
    for chunk, mask in itertools.zip_longest(chunks, where, fillvalue=none):
        if chunk is none or mask is none:
            raise ValueError(f"where: got {'more' if chunk is none else 'fewer'} masks than chunks, expected one for each")
        found.push(chunk, _mask(mask))
    return found.finish()
