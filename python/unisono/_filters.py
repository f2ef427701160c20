"""The filters of :mod:`scipy.ndimage`: its signatures, defaults and weights, on any device and without copies."""

import operator

import numpy as np

from . import _unisono


def _per_axis(name, value, count):
    """One value per axis, from one for all or one each."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return [value] * count
    values = list(value)
    if len(values) != count:
        raise ValueError(f"{name}: got {len(values)} of them, expected 1 or {count}, the number of axes")
    return values


def _axes_of(input, axes):
    """The axes to filter, from the first."""
    ndim = input.ndim
    if axes is None:
        return list(range(ndim))
    chosen = [axes] if np.ndim(axes) == 0 else list(axes)
    chosen = [operator.index(axis) for axis in chosen]
    if chosen and not ndim:
        raise ValueError(f"axis: got {chosen[0]}, expected none: the input has no axes")
    for axis in chosen:
        if not -ndim <= axis < ndim:
            raise ValueError(f"axis: got {axis}, expected {-ndim} to {ndim - 1} for {ndim} axes")
    chosen = [axis % ndim for axis in chosen]
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"axes: got {chosen}, expected distinct axes")
    return chosen


def _axis_of(input, axis):
    return _axes_of(input, [axis])[0]


def _ascending(axes, *columns):
    """The axes in their order, and with them the values that each has: terms that are added pass over axes in that order."""
    places = sorted(range(len(axes)), key=axes.__getitem__)
    return [[values[place] for place in places] for values in (axes, *columns)]


def _index(name, value):
    """An integer of any size."""
    try:
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name}: got {value!r}, expected an integer") from None


def _integer(name, value):
    """An integer that the native half takes."""
    number = _index(name, value)
    if not -(2**63) <= number < 2**63:
        raise ValueError(f"{name}: got {number}, expected an integer of 64 bits")
    return number


def _natural(name, value):
    """An integer that the native half takes where none is negative."""
    number = _index(name, value)
    if not 0 <= number < 2**64:
        raise ValueError(f"{name}: got {number}, expected 0 to 2^64 - 1")
    return number


def _array(input):
    return input if isinstance(input, (_unisono.Array, np.ndarray)) else np.asarray(input)


def _run(input, terms, output, device, magnitude=False, nan="propagate"):
    """Runs terms of passes ``(axis, weights, origin, mode, cval)``, complex numbers by parts."""
    if nan not in ("propagate", "ignore"):
        raise ValueError(f'nan: got {nan!r}, expected "propagate" or "ignore"')
    out, dtype = output, None
    if output is None or isinstance(output, (str, type, np.dtype)):
        out, dtype = None, None if output is None else np.dtype(output)
    on_device = isinstance(input, _unisono.Array)
    if not input.ndim and not on_device:
        # Engines filter along axes: along one of length 1.
        given = out[None] if isinstance(out, np.ndarray) else dtype if out is None else out
        found = _run(input.reshape(1), terms, given, device, magnitude, nan)
        return found.reshape(()) if out is None else out
    weighs = any(np.iscomplexobj(weights) for term in terms for _, weights, *_ in term)
    if weighs or input.dtype.kind == "c":
        given = "weights: got complex ones" if weighs else f"input: got dtype {input.dtype}"
        if magnitude or nan == "ignore":
            raise TypeError(f"{given}, expected real numbers")
        if on_device:
            raise TypeError(f"{given} for an Array, expected real numbers; those of its numpy() may be complex")
        return _complex(input, terms, out, dtype, device, weighs)
    terms = _passes(terms, np.real, _real)
    if nan == "ignore":
        input, terms = _unisono.separable(input, terms, False, True, device, None, None), [[]]
        if out is None and dtype is None:
            return input
    return _separable(input, terms, device, out, dtype, magnitude)


def _passes(terms, weigh, outside):
    """The terms for the native half, with a part of their weights and of what lies outside."""

    def native(axis, weights, origin, mode, cval):
        return axis, list(map(float, weigh(weights))), _integer("origin", origin), mode, float(outside(cval))

    return [[native(*one) for one in term] for term in terms]


def _real(cval):
    if isinstance(cval, (complex, np.complexfloating)):
        raise TypeError(f"cval: got {cval}, expected a real number: the input is real")
    return cval


def _separable(input, terms, device, out, dtype, magnitude=False):
    """A filter of real numbers, or with ``[[]]`` these numbers, into ``out``, which is checked, or as ``dtype``."""
    wanted = getattr(out, "dtype", dtype)
    if wanted is not None and wanted.kind == "c":
        raise TypeError(f"output: got dtype {wanted}, expected a real one: the result is real")
    return _unisono.separable(input, terms, magnitude, False, device, out, dtype)


def _complex(input, terms, out, dtype, device, weighs):
    """A filter of complex numbers, or by complex weights, of which there is one pass."""
    if out is None:
        out = np.empty(input.shape, dtype or np.promote_types(input.dtype, np.complex64))
    if not isinstance(out, np.ndarray):
        raise TypeError(f"output: got {type(out).__name__}, expected a NumPy array: the result is complex")
    if out.dtype not in (np.complex64, np.complex128):
        raise TypeError(f"output: got dtype {out.dtype}, expected complex64 or complex128: the result is complex")
    if out.shape != input.shape:
        raise ValueError(f"output: got shape {out.shape}, expected {input.shape}")
    if not out.flags.writeable:
        raise ValueError("output: got a read-only array, expected a writable one")

    def part(x, weigh, outside):
        return _unisono.separable(x, _passes(terms, weigh, outside), False, False, device, None, out.real.dtype)

    if input.dtype.kind != "c":
        real, imag = part(input, np.real, _real), part(input, np.imag, _real)
    elif not weighs:
        real, imag = part(input.real, np.real, np.real), part(input.imag, np.real, np.imag)
    else:
        real = part(input.real, np.real, np.real) - part(input.imag, np.imag, np.imag)
        imag = part(input.real, np.imag, np.real) + part(input.imag, np.real, np.imag)
    out.real[...], out.imag[...] = real, imag
    return out


def _gaussian_weights(sigma, order, radius):
    """SciPy's weights: a Gaussian with sum 1, or its derivative, a polynomial times it."""
    if order < 0:
        raise ValueError(f"order: got {order}, expected at least 0")
    powers = np.arange(order + 1)
    variance = sigma * sigma
    x = np.arange(-radius, radius + 1)
    phi = np.exp(-0.5 / variance * x**2)
    phi = phi / phi.sum()
    if order == 0:
        return phi
    # f'(x) = (q'(x) + q(x) p'(x)) phi(x), with q a vector of coefficients and p'(x) = -x / variance.
    q = np.zeros(order + 1)
    q[0] = 1
    step = np.diag(powers[1:], 1) + np.diag(np.ones(order) / -variance, -1)
    for _ in range(order):
        q = step.dot(q)
    return (x[:, None] ** powers).dot(q) * phi


def _gaussian_passes(input, sigma, order, mode, cval, truncate, radius, axes):
    axes = _axes_of(input, axes)
    n = len(axes)
    passes = []
    rows = zip(
        axes,
        _per_axis("sigma", sigma, n),
        _per_axis("order", order, n),
        _per_axis("mode", mode, n),
        _per_axis("radius", radius, n),
        strict=True,
    )
    for axis, sigma, order, mode, radius in rows:
        if not sigma >= 0:
            raise ValueError(f"sigma: got {sigma}, expected a number of at least 0")
        if sigma > 1e-15:
            passes.append((axis, _gaussian_1d(sigma, order, truncate, radius), 0, mode, cval))
    return passes


def _gaussian_1d(sigma, order, truncate, radius):
    """The weights in the order of the elements."""
    sigma = float(sigma)
    reach = truncate * sigma + 0.5 if radius is None else _integer("radius", radius)
    if not -1 < reach <= 1e9:
        raise ValueError(f"radius: got {reach}, expected at least 0, and weights that fit in memory")
    return _gaussian_weights(sigma, _integer("order", order), int(reach))[::-1]


def gaussian_filter1d(
    input, sigma, axis=-1, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None,
    nan="propagate", device="auto",
):
    """Filter by a Gaussian, or one of its derivatives, along an axis: :func:`scipy.ndimage.gaussian_filter1d`.

    Parameters
    ----------
    axis : int
        The axis.
    input, sigma, order, output, mode, cval, truncate, radius, nan, device
        As for :func:`gaussian_filter`, each for this axis, and so are result, numerics and rounding.

    Examples
    --------
    >>> unisono.gaussian_filter1d([1.0, 2.0, 3.0, 4.0, 5.0], 1).round(2)
    array([1.43, 2.07, 3.  , 3.93, 4.57])
    """
    input = _array(input)
    passes = _gaussian_passes(input, sigma, order, mode, cval, truncate, radius, [axis])
    return _run(input, [passes], output, device, nan=nan)


def gaussian_filter(
    input, sigma, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None, axes=None,
    nan="propagate", device="auto",
):
    """Filter by a Gaussian, or one of its derivatives: :func:`scipy.ndimage.gaussian_filter`.

    Parameters
    ----------
    input : array_like or Array
        Any number of axes, of an Array at least one; those not filtered are batch (``axes=(0, 1)`` blurs ``[H, W, 3]``).
        Complex numbers are filtered by parts, except of an Array.
    sigma : float or sequence of float
        Standard deviation, for all axes or one each; an axis with 0 is left as it is.
    order : int or sequence of int
        Order of the derivative.
    output : ndarray, Array or dtype, optional
        Where to write, or the dtype of the result; by default that of ``input``.
    mode : str or sequence of str
        What lies outside: ``"reflect"``, ``"constant"``, ``"nearest"``, ``"mirror"``, ``"wrap"``.
    cval : float or complex
        The value outside for ``"constant"``; complex for complex input only.
    truncate : float
        Cut off at so many standard deviations.
    radius : int or sequence of int, optional
        Cut off at this distance instead.
    axes : int or sequence of int, optional
        The axes to filter; all by default.
    nan : {"propagate", "ignore"}
        With ``"ignore"``, NaN has no weight: ``sum(k x) / sum(k)`` over what is there, as ``nan_treatment="interpolate"`` of
        astropy; NaN where nothing is there. ``cval=nan`` leaves out what lies outside. That mean is then rounded to ``output``.
    device : str or Backend
        Where to compute.

    Returns
    -------
    ndarray
        ``output`` if it was an array; an :class:`Array` if ``input`` is one.

    Notes
    -----
    Computed in float32 for float32 and for integers of 8 and 16 bits, else in float64, without rounding between the axes:
    within ``(taps + 2) * eps * sum(|k| |x|)``. Integer results are rounded to nearest even and saturated, where SciPy
    truncates after every axis; ``output=np.float32`` gives them unrounded.

    Examples
    --------
    >>> unisono.gaussian_filter(np.eye(3), 1).round(3)
    array([[0.502, 0.329, 0.168],
           [0.329, 0.342, 0.329],
           [0.168, 0.329, 0.502]])
    """
    input = _array(input)
    passes = _gaussian_passes(input, sigma, order, mode, cval, truncate, radius, axes)
    return _run(input, [passes], output, device, nan=nan)


def uniform_filter1d(
    input, size, axis=-1, output=None, mode="reflect", cval=0.0, origin=0, *, nan="propagate", device="auto"
):
    """Mean of ``size`` elements along an axis: :func:`scipy.ndimage.uniform_filter1d`.

    Parameters
    ----------
    axis : int
        The axis.
    input, size, output, mode, cval, origin, nan, device
        As for :func:`uniform_filter`, each for this axis, and so are result, numerics and rounding.

    Examples
    --------
    >>> unisono.uniform_filter1d([2.0, 8.0, 0.0, 4.0], 3)
    array([4.        , 3.33333333, 4.        , 2.66666667])
    """
    input = _array(input)
    return _run(input, [[_uniform_pass(_axis_of(input, axis), size, origin, mode, cval)]], output, device, nan=nan)


def _uniform_pass(axis, size, origin, mode, cval):
    size = _integer("size", size)
    if size < 1:
        raise ValueError(f"size: got {size}, expected at least 1")
    return axis, np.full(size, 1.0 / size), origin, mode, cval


def uniform_filter(
    input, size=3, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None, nan="propagate", device="auto"
):
    """Mean over a box: :func:`scipy.ndimage.uniform_filter`; :func:`box_blur` is the same.

    Parameters
    ----------
    size : int or sequence of int
        Elements of the box, for all axes or one each.
    origin : int or sequence of int
        Moves the box, to lower indices if positive.
    input, output, mode, cval, axes, nan, device
        As for :func:`gaussian_filter`, and so are result, numerics and rounding.

    Examples
    --------
    >>> unisono.uniform_filter(np.arange(9.0).reshape(3, 3), 3)[1, 1].round(9)
    np.float64(4.0)
    """
    input = _array(input)
    axes = _axes_of(input, axes)
    n = len(axes)
    rows = zip(
        axes, _per_axis("size", size, n), _per_axis("origin", origin, n), _per_axis("mode", mode, n), strict=True
    )
    passes = [_uniform_pass(axis, size, origin, mode, cval) for axis, size, origin, mode in rows if size != 1]
    return _run(input, [passes], output, device, nan=nan)


box_blur = uniform_filter


def correlate1d(
    input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0, *, nan="propagate", device="auto"
):
    """Correlate along an axis: :func:`scipy.ndimage.correlate1d`.

    Parameters
    ----------
    weights : array_like
        One-dimensional. Complex ones are conjugated, and their result is complex.
    axis : int
        The axis.
    origin : int
        Moves the weights, to lower indices if positive.
    input, output, mode, cval, nan, device
        As for :func:`gaussian_filter`, and so are result, numerics and rounding. Integers with integer weights are exact
        below 2**53, and saturated.

    Examples
    --------
    >>> unisono.correlate1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
    array([ 8, 26,  8, 12,  7, 28, 36,  9])
    """
    input = _array(input)
    passes = [(_axis_of(input, axis), _weights("weights", weights).conj(), origin, mode, cval)]
    return _run(input, [passes], output, device, nan=nan)


def _weights(name, weights):
    weights = np.asarray(weights)
    weights = weights.astype(np.complex128 if weights.dtype.kind == "c" else np.float64)
    if weights.ndim != 1 or weights.size == 0:
        raise ValueError(f"{name}: got shape {weights.shape}, expected one axis, not empty")
    return weights


def convolve1d(
    input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0, *, nan="propagate", device="auto"
):
    """Convolve along an axis: :func:`scipy.ndimage.convolve1d`.

    Parameters
    ----------
    input, weights, axis, output, mode, cval, origin, nan, device
        As for :func:`correlate1d`, but complex weights are taken as they are.

    Examples
    --------
    >>> unisono.convolve1d([2, 8, 0, 4, 1, 9, 9, 0], weights=[1, 3])
    array([14, 24,  4, 13, 12, 36, 27,  0])
    """
    weights = _weights("weights", weights)[::-1]
    origin = -_integer("origin", origin) - (1 - len(weights) % 2)
    return correlate1d(input, weights.conj(), axis, output, mode, cval, origin, nan=nan, device=device)


def convolve_separable(
    input, factors, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None, nan="propagate", device="auto"
):
    """Convolve with a kernel given as its factors: the outer product of ``factors``, one per axis.

    Parameters
    ----------
    factors : sequence of array_like
        One-dimensional real weights, one for each of ``axes``.
    origin : int or sequence of int
        As for :func:`convolve1d`.
    axes : int or sequence of int, optional
        The axes to filter; by default the last ones, as many as there are factors.
    input, output, mode, cval, nan, device
        As for :func:`gaussian_filter`, and so are result, numerics and rounding.

    Examples
    --------
    >>> unisono.convolve_separable(np.eye(3), [[1, 2, 1], [1, 0, -1]], mode="constant")
    array([[ 1., -2., -1.],
           [ 2.,  0., -2.],
           [ 1.,  2., -1.]])
    """
    input = _array(input)
    factors = [_weights("factors", factor) for factor in factors]
    if any(np.iscomplexobj(factor) for factor in factors):
        raise TypeError("factors: got complex weights, expected real ones; convolve1d takes complex ones")
    axes = _axes_of(input, range(-len(factors), 0) if axes is None else axes)
    if len(axes) != len(factors):
        raise ValueError(f"factors: got {len(factors)} of them, expected {len(axes)}, the number of axes")
    modes, origins = _per_axis("mode", mode, len(axes)), _per_axis("origin", origin, len(axes))
    passes = [
        (axis, factor[::-1], -_integer("origin", origin) - (1 - len(factor) % 2), mode, cval)
        for axis, factor, mode, origin in zip(axes, factors, modes, origins, strict=True)
    ]
    return _run(input, [passes], output, device, nan=nan)


def _difference(input, axis, output, mode, cval, smooth, axes, device):
    input = _array(input)
    axis, axes = _axis_of(input, axis), _axes_of(input, axes)
    if axis not in axes:
        raise ValueError(f"axis: got {axis}, expected one of axes, {axes}")
    modes = _per_axis("mode", mode, len(axes))
    passes = [
        (other, [-1.0, 0.0, 1.0] if other == axis else smooth, 0, mode, cval)
        for other, mode in zip(axes, modes, strict=True)
    ]
    if cval:
        # Then the order tells, and SciPy differentiates first.
        passes.insert(0, passes.pop(axes.index(axis)))
    return _run(input, [passes], output, device)


def sobel(input, axis=-1, output=None, mode="reflect", cval=0.0, *, axes=None, device="auto"):
    """Derivative along an axis by a central difference, smoothed by 1, 2, 1 along the others:
    :func:`scipy.ndimage.sobel`.

    Parameters
    ----------
    axis : int
        The axis of the derivative.
    axes : int or sequence of int, optional
        The axes to filter, ``axis`` among them; all by default. What is not among them is batch: ``axis=1, axes=(0, 1)`` is
        the horizontal derivative of ``[H, W, 3]``.
    input, output, mode, cval, device
        As for :func:`gaussian_filter`, and so are result, numerics and rounding.

    Examples
    --------
    >>> unisono.sobel(np.arange(9).reshape(3, 3))[1]
    array([4, 8, 4])
    """
    return _difference(input, axis, output, mode, cval, [1.0, 2.0, 1.0], axes, device)


def prewitt(input, axis=-1, output=None, mode="reflect", cval=0.0, *, axes=None, device="auto"):
    """Derivative along an axis by a central difference, smoothed by 1, 1, 1 along the others:
    :func:`scipy.ndimage.prewitt`.

    Parameters
    ----------
    input, axis, output, mode, cval, axes, device
        As for :func:`sobel`, and so are result, numerics and rounding.

    Examples
    --------
    >>> unisono.prewitt(np.arange(9).reshape(3, 3))[1]
    array([3, 6, 3])
    """
    return _difference(input, axis, output, mode, cval, [1.0, 1.0, 1.0], axes, device)


def laplace(input, output=None, mode="reflect", cval=0.0, *, axes=None, device="auto"):
    """Laplace operator by second differences: :func:`scipy.ndimage.laplace`.

    Parameters
    ----------
    input, output, mode, cval, axes, device
        As for :func:`gaussian_filter`, and so are result, numerics and rounding.

    Examples
    --------
    >>> unisono.laplace(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]))
    array([[ 0,  1,  0],
           [ 1, -4,  1],
           [ 0,  1,  0]])
    """
    input = _array(input)
    axes = _axes_of(input, axes)
    modes = _per_axis("mode", mode, len(axes))
    terms = [[(axis, [1.0, -2.0, 1.0], 0, mode, cval)] for axis, mode in zip(axes, modes, strict=True)]
    return _run(input, terms or [[]], output, device)


def _gaussian_terms(input, sigma, order, mode, cval, truncate, radius, axes):
    """A term per axis: a Gaussian, differentiated ``order`` times along that axis, whose mode holds for all of them."""
    axes = _axes_of(input, axes)
    columns = [_per_axis(*one, len(axes)) for one in (("sigma", sigma), ("mode", mode), ("radius", radius))]
    axes, sigmas, modes, radii = _ascending(axes, *columns)
    terms = []
    for axis, mode in zip(axes, modes, strict=True):
        orders = [order if other == axis else 0 for other in axes]
        terms.append(_gaussian_passes(input, sigmas, orders, mode, cval, truncate, radii, axes))
    return terms or [[]]


def gaussian_laplace(
    input, sigma, output=None, mode="reflect", cval=0.0, *, axes=None, truncate=4.0, radius=None, device="auto"
):
    """Laplace operator by second derivatives of a Gaussian: :func:`scipy.ndimage.gaussian_laplace`.

    Parameters
    ----------
    mode : str or sequence of str
        As for :func:`gaussian_filter`, but of several modes each holds along all axes of one term: the one with the
        derivative along its own axis.
    input, sigma, output, cval, axes, truncate, radius, device
        As for :func:`gaussian_filter`, and so are result, numerics and rounding.

    Examples
    --------
    >>> unisono.gaussian_laplace(np.eye(5), 1)[2, 2].round(3)
    np.float64(-0.27)
    """
    input = _array(input)
    return _run(input, _gaussian_terms(input, sigma, 2, mode, cval, truncate, radius, axes), output, device)


def gaussian_gradient_magnitude(
    input, sigma, output=None, mode="reflect", cval=0.0, *, axes=None, truncate=4.0, radius=None, device="auto"
):
    """Magnitude of the gradient by derivatives of a Gaussian: :func:`scipy.ndimage.gaussian_gradient_magnitude`.

    Parameters
    ----------
    input, sigma, output, mode, cval, axes, truncate, radius, device
        As for :func:`gaussian_laplace`, of real numbers. What is not among ``axes`` is batch, as everywhere (SciPy 1.17 blurs
        along it).

    Examples
    --------
    >>> unisono.gaussian_gradient_magnitude(np.arange(25.0).reshape(5, 5), 0.5)[2, 2].round(3)
    np.float64(4.385)
    """
    input = _array(input)
    terms = _gaussian_terms(input, sigma, 1, mode, cval, truncate, radius, axes)
    return _run(input, terms, output, device, magnitude=terms != [[]])


def unsharp_mask(
    input, radius=1.0, amount=1.0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, channel_axis=None, axes=None,
    device="auto",
):
    """Sharpen: ``x + amount * (x - blurred)``, ``blurred`` by a Gaussian.

    The definition of ``skimage.filters.unsharp_mask``, without its rescaling and clipping of values, and of Pillow's
    ``UnsharpMask`` with ``amount = percent / 100`` and ``threshold=0``. Integers are rounded to nearest and saturated.

    Parameters
    ----------
    radius : float or sequence of float
        Standard deviation of the Gaussian, for all axes or one each.
    amount : float
        How much is added.
    channel_axis : int, optional
        An axis of channels, not filtered; not together with ``axes``.
    input, output, mode, cval, truncate, axes, device
        As for :func:`gaussian_filter`.

    Examples
    --------
    >>> unisono.unsharp_mask(np.array([10, 10, 90, 90], np.uint8), 1.0, 0.5)
    array([  7,   0, 102,  93], dtype=uint8)
    """
    input = _array(input)
    if axes is not None and channel_axis is not None:
        raise ValueError(f"channel_axis: got {channel_axis} beside axes={axes!r}, expected one of the two")
    if axes is None:
        channel = None if channel_axis is None else _axis_of(input, channel_axis)
        axes = [axis for axis in range(input.ndim) if axis != channel]
    else:
        axes = _axes_of(input, axes)
    sigmas, modes = _per_axis("radius", radius, len(axes)), _per_axis("mode", mode, len(axes))
    axes, sigmas, modes = _ascending(axes, sigmas, modes)
    blurred = _gaussian_passes(input, sigmas, 0, modes, cval, truncate, None, axes)
    if not blurred:
        return _run(input, [[]], output, device)
    axis, weights, origin, mode, cval = blurred[-1]
    blurred[-1] = (axis, -amount * np.asarray(weights), origin, mode, cval)
    same = [(axis, [1.0 + amount], 0, mode, 0.0)]
    return _run(input, [same, blurred], output, device)
