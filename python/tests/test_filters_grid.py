"""The filters against :mod:`scipy.ndimage` over thousands of random cases.

Floats are compared with SciPy in float64 within ``c * eps * sum(|k| |x|)``, the scale found by filtering the magnitudes with
the magnitudes of the weights; integers with SciPy's unrounded result, rounded and saturated.
"""

import numpy as np
import pytest

import unisono

ndimage = pytest.importorskip("scipy.ndimage")

MODES = ["reflect", "constant", "nearest", "mirror", "wrap"]
DTYPES = [np.uint8, np.int8, np.uint16, np.int16, np.float32, np.float64, np.int32]
CASES = 260


def draw(rng, device, most=40):
    """A random array: any rank, any stride, a dtype that the device filters."""
    ndim = int(rng.integers(1, 5))
    shape = tuple(int(n) for n in rng.integers(1, [0, 3 * most, most, 12, 7][ndim], ndim))
    dtypes = DTYPES if unisono.Backend(device).info.f64 else DTYPES[:5]
    dtype = np.dtype(dtypes[rng.integers(len(dtypes))])
    if dtype.kind == "f":
        x = rng.uniform(-1, 1, shape).astype(dtype)
    else:
        info = np.iinfo(dtype)
        x = rng.integers(info.min, info.max, shape, dtype, endpoint=True)
    way = rng.integers(4)
    if way == 0:
        return np.asfortranarray(x)
    if way == 1:
        return np.repeat(x, 2, axis=-1)[..., ::-2]
    return x


def check(found, exact, scale, roundings, dtype):
    """``found`` is ``exact`` within the bound, or rounded and saturated."""
    exact, scale = np.asarray(exact), np.asarray(scale)
    assert found.shape == exact.shape and found.dtype == dtype
    wide = dtype == np.float64 or dtype.itemsize >= 4 and dtype.kind != "f"
    # Twice the roundings for devices that do not fuse; SciPy's own are in float64.
    error = 2 * (roundings + 4) * (2.0**-53 if wide else 2.0**-24) * scale + 4 * roundings * 2.0**-53 * scale + 1e-30
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        exact, error = np.clip(exact, info.min, info.max), error + 0.5
    wrong = np.abs(found.astype(np.float64) - exact) > error
    assert not wrong.any(), (found[wrong][:5], exact[wrong][:5])


def correlated(x, passes):
    """The result in float64 of passes ``(axis, weights, mode, cval, origin)``, and its scale."""
    y, scale = x.astype(np.float64), np.abs(x.astype(np.float64))
    for axis, weights, mode, cval, origin in passes:
        y = ndimage.correlate1d(y, weights, axis, mode=mode, cval=cval, origin=origin)
        scale = ndimage.correlate1d(scale, np.abs(weights), axis, mode=mode, cval=abs(cval), origin=origin)
    return y, scale


def modes(rng, n):
    return [MODES[i] for i in rng.integers(5, size=n)]


def fill(rng, x):
    return float(rng.integers(0, 4)) if x.dtype.kind != "f" else float(rng.uniform(-1, 1))


def axes_of(rng, x):
    axes = rng.permutation(x.ndim)[: rng.integers(1, x.ndim + 1)]
    return tuple(sorted(int(axis) for axis in axes))


def gaussian_weights(sigma, order, radius):
    return unisono._filters._gaussian_weights(sigma, order, radius)[::-1]


@pytest.mark.parametrize("order", [0, 1, 2, 3])
@pytest.mark.parametrize("sigma", [0.3, 1.0, 2.7, 10.0])
def test_gaussian_weights_are_scipys(sigma, order):
    filters = pytest.importorskip("scipy.ndimage._filters")
    kernel = getattr(filters, "_gaussian_kernel1d", None) or pytest.skip("this SciPy hides its weights")
    radius = int(4 * sigma + 0.5)
    assert np.array_equal(unisono._filters._gaussian_weights(sigma, order, radius), kernel(sigma, order, radius))


@pytest.mark.parametrize("convolve", [False, True])
def test_one_axis(device, rng, convolve):
    for _ in range(CASES):
        x = draw(rng, device)
        n = int(rng.integers(1, [4, 12, 70][rng.integers(3)]))
        weights = rng.uniform(-1, 1, n)
        if rng.integers(2):
            weights = weights + weights[::-1]
        axis, mode, cval = int(rng.integers(-x.ndim, x.ndim)), MODES[rng.integers(5)], fill(rng, x)
        origin = int(rng.integers(n)) - n // 2
        if convolve:
            origin = -origin - (1 - n % 2)
            found = unisono.convolve1d(x, weights, axis, None, mode, cval, origin, device=device)
            exact = ndimage.convolve1d(x.astype(np.float64), weights, axis, None, mode, cval, origin)
            scale = ndimage.convolve1d(np.abs(x.astype(np.float64)), np.abs(weights), axis, None, mode, abs(cval), origin)
        else:
            found = unisono.correlate1d(x, weights, axis, None, mode, cval, origin, device=device)
            exact, scale = correlated(x, [(axis, weights, mode, cval, origin)])
        check(found, exact, scale, n + 1, x.dtype)


def test_gaussian(device, rng):
    for _ in range(CASES):
        x = draw(rng, device)
        axes = axes_of(rng, x)
        sigma = [float(s) for s in rng.choice([0.0, 0.4, 1.0, 2.3, 5.0], len(axes))]
        order = [int(o) for o in rng.choice([0, 0, 0, 1, 2], len(axes))]
        mode, cval, truncate = modes(rng, len(axes)), fill(rng, x), float(rng.choice([4.0, 2.0]))
        radius = None if rng.integers(2) else [int(r) for r in rng.integers(1, 9, len(axes))]
        keywords = dict(mode=mode, cval=cval, truncate=truncate, radius=radius, axes=axes)
        found = unisono.gaussian_filter(x, sigma, order, device=device, **keywords)
        exact = ndimage.gaussian_filter(x.astype(np.float64), sigma, order, **keywords)
        passes = [
            (axis, gaussian_weights(s, o, int(truncate * s + 0.5) if radius is None else radius[i]), mode[i], cval, 0)
            for i, (axis, s, o) in enumerate(zip(axes, sigma, order, strict=True))
            if s > 0
        ]
        y, scale = correlated(x, passes)
        assert np.allclose(y, exact, rtol=1e-9, atol=1e-9 * max(1.0, np.abs(scale).max()))
        check(found, exact, scale, sum(len(w) + 1 for _, w, *_ in passes), x.dtype)


def test_uniform(device, rng):
    for _ in range(CASES):
        x = draw(rng, device)
        axes = axes_of(rng, x)
        size = [int(s) for s in rng.integers(1, 12, len(axes))]
        origin = [int(rng.integers(s)) - s // 2 for s in size]
        mode, cval = modes(rng, len(axes)), fill(rng, x)
        keywords = dict(mode=mode, cval=cval, origin=origin, axes=axes)
        found = unisono.uniform_filter(x, size, device=device, **keywords)
        # SciPy's running sum carries the rounding errors of all elements before: the definition instead.
        rows = zip(axes, size, mode, origin, strict=True)
        exact, scale = correlated(x, [(axis, np.full(s, 1 / s), m, cval, o) for axis, s, m, o in rows if s > 1])
        near = ndimage.uniform_filter(x.astype(np.float64), size, **keywords)
        assert np.allclose(exact, near, rtol=1e-9, atol=1e-9 * max(1.0, scale.max()))
        check(found, exact, scale, sum(s + 1 for s in size), x.dtype)


@pytest.mark.parametrize("name, smooth", [("sobel", [1, 2, 1]), ("prewitt", [1, 1, 1])])
def test_differences(device, rng, name, smooth):
    for _ in range(CASES // 2):
        x = draw(rng, device)
        axis, mode, cval = int(rng.integers(x.ndim)), modes(rng, x.ndim), fill(rng, x)
        if x.ndim == 1:
            mode = mode[0]
        found = getattr(unisono, name)(x, axis, None, mode, cval, device=device)
        exact = getattr(ndimage, name)(x.astype(np.float64), axis, None, mode, cval)
        each = [mode] if x.ndim == 1 else mode
        order = sorted(range(x.ndim), key=lambda a: a != axis)
        scale = correlated(x, [(a, np.array([-1, 0, 1] if a == axis else smooth), each[a], cval, 0) for a in order])[1]
        check(found, exact, scale, 4 * x.ndim, x.dtype)


@pytest.mark.parametrize("name", ["sobel", "prewitt"])
def test_differences_along_some_axes(device, rng, name):
    image = rng.standard_normal((7, 8, 3)).astype(np.float32)
    for axis in (0, 1):
        for cval in (0.0, 2.0):
            how = {"mode": ["constant", "wrap"], "cval": cval}
            want = np.stack([getattr(ndimage, name)(image[..., i], axis, **how) for i in range(3)], -1)
            found = getattr(unisono, name)(image, axis, **how, axes=(0, 1), device=device)
            np.testing.assert_allclose(found, want, atol=1e-5)
    alone = getattr(unisono, name)(image, -2, axes=1, device=device)
    np.testing.assert_allclose(alone, ndimage.correlate1d(image, [-1, 0, 1], 1), atol=1e-5)


def test_laplace(device, rng):
    for _ in range(CASES // 2):
        x = draw(rng, device)
        mode, cval = modes(rng, x.ndim), fill(rng, x)
        found = unisono.laplace(x, None, mode, cval, device=device)
        terms = [correlated(x, [(a, np.array([1.0, -2, 1]), mode[a], cval, 0)]) for a in range(x.ndim)]
        exact = ndimage.laplace(x.astype(np.float64), None, mode if x.ndim > 1 else mode[0], cval)
        assert np.allclose(exact, sum(y for y, _ in terms), rtol=1e-12)
        check(found, exact, sum(scale for _, scale in terms), 4 + 2 * x.ndim, x.dtype)


@pytest.mark.parametrize("name, order", [("gaussian_laplace", 2), ("gaussian_gradient_magnitude", 1)])
def test_gaussian_derivatives(device, rng, name, order):
    for _ in range(CASES // 2):
        x = draw(rng, device, 30)
        sigma = [float(s) for s in rng.choice([0.6, 1.0, 2.3], x.ndim)]
        mode, cval = modes(rng, x.ndim), fill(rng, x)
        found = getattr(unisono, name)(x, sigma, None, mode, cval, device=device)
        exact = getattr(ndimage, name)(x.astype(np.float64), sigma, None, mode, cval)
        weights = [[gaussian_weights(s, order * (a == i), int(4 * s + 0.5)) for a, s in enumerate(sigma)] for i in range(x.ndim)]
        terms = [correlated(x, [(a, w, mode[i], cval, 0) for a, w in enumerate(weights[i])]) for i in range(x.ndim)]
        roundings = sum(2 * int(4 * s + 0.5) + 2 for s in sigma) + x.ndim
        check(found, exact, sum(scale for _, scale in terms), roundings, x.dtype)


@pytest.mark.parametrize("name", ["laplace", "gaussian_laplace", "gaussian_gradient_magnitude"])
def test_derivatives_along_some_axes(rng, name):
    for _ in range(40):
        x = rng.uniform(-1, 1, rng.integers(2, 9, 3))
        axes = [int(axis) for axis in rng.permutation(3)[: rng.integers(1, 4)]]
        sigma = [] if name == "laplace" else [[float(s) for s in rng.choice([0.6, 1.0, 2.3], len(axes))]]
        mode, cval = modes(rng, len(axes)), float(rng.uniform(-1, 1))
        found = getattr(unisono, name)(x, *sigma, None, mode, cval, axes=axes, device="cpu")
        # Slices of the other axes, as SciPy's magnitude of the gradient blurs along these.
        order = np.argsort(axes)
        batch = [axis for axis in range(3) if axis not in axes]
        slices = x.transpose(*batch, *sorted(axes)).reshape(-1, *(x.shape[axis] for axis in sorted(axes)))
        sigma, mode = [[one[i] for i in order] for one in sigma], [mode[i] for i in order]
        exact = np.stack([getattr(ndimage, name)(one, *sigma, None, mode, cval) for one in slices])
        exact = exact.reshape([x.shape[axis] for axis in (*batch, *sorted(axes))])
        assert np.allclose(found, exact.transpose(np.argsort([*batch, *sorted(axes)])), rtol=1e-12, atol=1e-12)
    for x in (-np.ones(3), np.float64(-2)):
        assert np.array_equal(getattr(unisono, name)(x, *(sigma and [1.0]), axes=(), device="cpu"), x)


def test_factors_and_sharpening(device, rng):
    for _ in range(CASES // 2):
        x = draw(rng, device)
        count = int(rng.integers(1, min(x.ndim, 3) + 1))
        factors = [rng.uniform(-1, 1, int(n)) for n in rng.integers(1, 9, count)]
        mode = MODES[rng.integers(5)]
        found = unisono.convolve_separable(x, factors, mode=mode, device=device)
        passes = [(a - count, f[::-1], mode, 0.0, -(1 - len(f) % 2)) for a, f in enumerate(factors)]
        check(found, *correlated(x, passes), sum(len(f) + 1 for f in factors), x.dtype)
        found = unisono.unsharp_mask(x, 1.3, 0.8, mode=mode, device=device)
        y, scale = correlated(x, [(a, gaussian_weights(1.3, 0, 5), mode, 0.0, 0) for a in range(x.ndim)])
        wide = x.astype(np.float64)
        check(found, wide + 0.8 * (wide - y), 1.8 * np.abs(wide) + 0.8 * scale, 12 * x.ndim + 2, x.dtype)


def test_nan_has_no_weight(device, rng):
    dtype = np.float64 if unisono.Backend(device).info.f64 else np.float32
    for _ in range(40):
        x = rng.uniform(0, 1, rng.integers(3, 20, 2)).astype(dtype)
        x[rng.uniform(size=x.shape) < 0.3] = np.nan
        mode = MODES[rng.integers(5)]
        found = unisono.gaussian_filter(x, 1.0, mode=mode, cval=0.5, nan="ignore", device=device)
        there = (~np.isnan(x)).astype(np.float64)
        top = ndimage.gaussian_filter(np.nan_to_num(x).astype(np.float64), 1.0, mode=mode, cval=0.5)
        bottom = ndimage.gaussian_filter(there, 1.0, mode=mode, cval=1.0)
        assert np.allclose(found, top / bottom, rtol=200 * np.finfo(dtype).eps, atol=0)
    with pytest.raises(TypeError, match="expected float32 or float64"):
        unisono.gaussian_filter(np.arange(5), 1.0, nan="ignore", device="cpu")
    with pytest.raises(ValueError, match="nan"):
        unisono.gaussian_filter(x, 1.0, nan="omit", device=device)


def test_convolution_passes_over_nan(device, rng):
    dtype = np.float64 if unisono.Backend(device).info.f64 else np.float32
    x = rng.uniform(0, 1, (2, 14, 15)).astype(dtype)
    x[rng.uniform(size=x.shape) < 0.3] = np.nan
    kernel = rng.uniform(0, 1, (3, 4)).astype(dtype)
    there = (~np.isnan(x)).astype(dtype)
    for mode in ("full", "same", "valid"):
        found = unisono.convolve(x, kernel, mode, nan="ignore", device=device, fill_value=np.nan)
        top, bottom = (unisono.convolve(a, kernel, mode, device=device) for a in (np.nan_to_num(x), there))
        with np.errstate(invalid="ignore"):
            assert np.allclose(found, top / bottom, rtol=1e-5, equal_nan=True)
    out = np.empty_like(found)
    assert unisono.correlate(x, kernel[::-1, ::-1], "valid", nan="ignore", device=device, out=out) is out
    assert np.allclose(out, found, rtol=1e-5, equal_nan=True)


def test_outputs_and_errors(device):
    x = np.arange(20, dtype=np.uint8).reshape(4, 5)
    wide = unisono.gaussian_filter(x, 1.0, output=np.float32, device=device)
    assert wide.dtype == np.float32 and np.allclose(wide, ndimage.gaussian_filter(x, 1.0, output=np.float64), atol=1e-4)
    out = np.zeros((4, 10), np.float32)[:, ::2]
    assert unisono.gaussian_filter(x, 1.0, output=out, device=device) is out
    assert np.array_equal(out, wide)
    kept = unisono.gaussian_filter(unisono.upload(x, device), 1.0, device=device)
    assert isinstance(kept, unisono.Array) and np.array_equal(kept.numpy(), unisono.gaussian_filter(x, 1.0, device=device))
    image = np.random.default_rng(5).integers(0, 256, (20, 30, 3), np.uint8)
    whole = unisono.gaussian_filter(image, 2.0, axes=(0, 1), device=device)
    planes = [unisono.gaussian_filter(image[..., c], 2.0, device=device) for c in range(3)]
    assert np.array_equal(whole, np.stack(planes, -1))
    z = (x + 1j * x.T[:4, :4].repeat(2, 1)[:, :5]).astype(np.complex64)
    found = unisono.gaussian_filter(z, 1.0, device=device)
    assert found.dtype == np.complex64 and np.allclose(found, ndimage.gaussian_filter(z, 1.0), rtol=1e-5)
    for call, text in [
        (lambda: unisono.gaussian_filter(x, [1.0, 2.0, 3.0], device=device), "sigma"),
        (lambda: unisono.gaussian_filter(x, np.nan, device=device), "sigma: got nan"),
        (lambda: unisono.gaussian_filter1d(x, -1.0, device=device), "sigma: got -1.0"),
        (lambda: unisono.gaussian_filter1d(x, np.inf, device=device), "radius: got inf"),
        (lambda: unisono.gaussian_filter1d(1.0, 1.0, device=device), "axis: got -1, expected none: the input has no axes"),
        (lambda: unisono.unsharp_mask(x, axes=0, channel_axis=0, device=device), "channel_axis: got 0 beside axes=0"),
        (lambda: unisono.correlate1d(x, [1, 2], origin=2**63, device=device), "origin: got 9223372036854775808"),
        (lambda: unisono.correlate1d(x, [1, 2], mode="constant:5", device=device), 'mode: got "constant:5", expected "constant"'),
        (lambda: unisono.uniform_filter(x, 0, device=device), "size"),
        (lambda: unisono.correlate1d(x, [], device=device), "weights"),
        (lambda: unisono.correlate1d(x, [1, 2], 2, device=device), "axis"),
        (lambda: unisono.correlate1d(x, [1, 2], origin=3, device=device), "origin"),
        (lambda: unisono.sobel(x, mode="round", device=device), "round"),
        (lambda: unisono.gaussian_filter(x, 1.0, axes=(0, 0), device=device), "distinct"),
    ]:
        with pytest.raises(ValueError, match=text):
            call()


def test_scipys_order_of_passes(device):
    x = np.arange(12, dtype=np.int16).reshape(3, 4)
    found = unisono.sobel(x, 1, mode="constant", cval=10, device=device)
    assert np.array_equal(found, ndimage.sobel(x, 1, mode="constant", cval=10)) and found[0].tolist() == [-13, 16, 16, 30]


def test_arrays_without_axes():
    for found in [
        unisono.gaussian_filter(np.float64(2), 1.0),
        unisono.uniform_filter(2.0),
        unisono.laplace(2.0),
        unisono.gaussian_filter(2.0, 1.0, nan="ignore"),
    ]:
        assert found.shape == () and found == 2
    out = np.zeros((), np.uint8)
    assert unisono.gaussian_filter(2.5, 1.0, output=out) is out and out == 2
    assert unisono.gaussian_filter(2j, 1.0) == 2j


def test_no_width_is_a_copy():
    x = np.arange(5.0)
    for found in (unisono.gaussian_filter1d(x, 0), unisono.gaussian_filter(x, 0)):
        assert found is not x and np.array_equal(found, x)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64, np.complex64, np.complex128])
@pytest.mark.parametrize("name", ["correlate1d", "convolve1d"])
def test_complex_weights(rng, name, dtype):
    run, same = getattr(unisono, name), getattr(ndimage, name)
    assert run(np.arange(4.0), [1j, 2, 1]).imag.any()
    for _ in range(30):
        x = rng.integers(-9, 9, rng.integers(1, 9, 2)).astype(dtype)
        n = int(rng.integers(1, 6))
        weights = rng.integers(-4, 5, n) + 1j * rng.integers(-4, 5, n)
        cval = complex(2, -1) if np.iscomplexobj(x) else 2.0
        how = dict(axis=int(rng.integers(2)), mode=MODES[rng.integers(5)], cval=cval)
        found, expected = run(x, weights, **how, device="cpu"), same(x, weights, **how)
        assert found.dtype == expected.dtype and np.array_equal(found, expected)
        out = np.zeros(x.shape, np.complex128)[::-1]
        assert run(x, weights, output=out, **how, device="cpu") is out and np.array_equal(out, expected)


def test_complex_refusals():
    z, x = np.ones((3, 4), np.complex64), np.ones((3, 4))
    fixed = np.zeros((3, 4), np.complex64)
    fixed.flags.writeable = False
    for error, text, call in [
        (TypeError, "output: got dtype float64, expected complex64", lambda: unisono.gaussian_filter(z, 1.0, output=x)),
        (TypeError, "output: got dtype float32, expected complex64", lambda: unisono.gaussian_filter(z, 1.0, output="f4")),
        (TypeError, "output: got Array", lambda: unisono.gaussian_filter(z, 1.0, output=unisono.upload(z))),
        (ValueError, "output: got shape", lambda: unisono.gaussian_filter(z, 1.0, output=np.zeros((2, 3, 4), complex))),
        (ValueError, "output: got a read-only array", lambda: unisono.gaussian_filter(z, 1.0, output=fixed)),
        (TypeError, "output: got dtype complex128, expected a real one", lambda: unisono.gaussian_filter(x, 1.0, output=complex)),
        (TypeError, r"its numpy\(\)", lambda: unisono.gaussian_filter(unisono.upload(z), 1.0)),
        (TypeError, r"its numpy\(\)", lambda: unisono.correlate1d(unisono.upload(x), [1j])),
        (TypeError, "input: got dtype complex64, expected real", lambda: unisono.gaussian_filter(z, 1.0, nan="ignore")),
        (TypeError, "images: got dtype complex64, expected a real", lambda: unisono.convolve(z, x, nan="ignore")),
        (TypeError, "cval: got 1j", lambda: unisono.correlate1d(x, [1j], cval=1j)),
        (TypeError, "convolve1d takes complex ones", lambda: unisono.convolve_separable(x, [[1j, 1.0]])),
    ]:
        with pytest.raises(error, match=text):
            call()
    assert (x == 1).all()


def test_means_without_nan_are_rounded(device):
    x = np.array([[1.6, 2.6, 300.7], [np.nan, -5.2, 2.5]], np.float32)
    rounded = [[2, 3, 255], [0, 0, 2]]
    one, kept = np.ones((1, 1), np.float32), unisono.upload(x, device)
    calls = [
        lambda x, **how: unisono.gaussian_filter(x, 0, nan="ignore", device=device, **how),
        lambda x, **how: unisono.correlate1d(x, [1], nan="ignore", device=device, **how),
        lambda x, output: unisono.convolve(
            x, one, nan="ignore", device=device, **{"out_dtype" if isinstance(output, (str, type)) else "out": output}
        ),
    ]
    for call in calls:
        assert np.array_equal(call(x, output="uint8"), rounded)
        out = np.empty((2, 6), np.uint8)[:, ::2]
        assert call(x, output=out) is out and np.array_equal(out, rounded)
        found = call(kept, output=np.uint8)
        assert isinstance(found, unisono.Array) and np.array_equal(found.numpy(), rounded)
        out = unisono.upload(np.zeros((2, 3), np.uint8), device)
        assert call(x, output=out) is out and np.array_equal(out.numpy(), rounded)
        for out in (np.empty((4, 2, 3), np.uint8), unisono.upload(np.zeros((2, 2), np.uint8), device)):
            with pytest.raises(ValueError, match="output shape"):
                call(x, output=out)
        for dtype in (np.float16, np.complex64):
            with pytest.raises(TypeError, match=f"got dtype {np.dtype(dtype)}"):
                call(x, output=dtype)
            with pytest.raises(TypeError, match=f"got dtype {np.dtype(dtype)}"):
                call(x, output=np.empty((2, 3), dtype))
    with pytest.raises(ValueError, match="out_dtype: got uint8, expected the dtype of out, float32"):
        unisono.convolve(x, one, nan="ignore", out_dtype="uint8", out=np.empty((2, 3), np.float32), device=device)


def test_numbers_of_a_convolution():
    x, k = np.arange(30.0).reshape(5, 6), np.ones((2, 2))
    found = unisono.convolve(x, k, "same", stride=np.array([1, 2]), dilation=np.array([2, 1]), origin=np.array([0, -1]))
    assert np.array_equal(found, unisono.convolve(x, k, "same", stride=[1, 2], dilation=[2, 1], origin=[0, -1]))
    for error, text, how in [
        (TypeError, "stride: got 1.5, expected an integer", dict(stride=1.5)),
        (ValueError, "stride: got 9223372036854775808", dict(stride=2**63)),
        (ValueError, "groups: got 9223372036854775808", dict(groups=2**63)),
        (ValueError, "ndim: got -1, expected 1, 2 or 3", dict(ndim=-1)),
    ]:
        with pytest.raises(error, match=text):
            unisono.convolve(x, k, **how)
