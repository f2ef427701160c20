"""Scans, quantiles, the largest elements and logarithms of sums against NumPy and SciPy, over shapes, axes and dtypes."""

import itertools
import math
import warnings

import numpy as np
import pytest

import unisono
from oracle import bits
from test_reduce import DTYPES, INTEGERS, strided

SHAPES = [(1,), (17,), (1000,), (3, 5), (1, 257), (40, 33), (7, 1, 9), (4, 6, 5, 3)]
METHODS = [
    "inverted_cdf",
    "averaged_inverted_cdf",
    "closest_observation",
    "interpolated_inverted_cdf",
    "hazen",
    "weibull",
    "linear",
    "median_unbiased",
    "normal_unbiased",
    "lower",
    "higher",
    "midpoint",
    "nearest",
]


def on(device, function, *args, **options):
    """The result on a device."""
    return function(*args, device=device, **options)


def values(rng, shape, dtype):
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.7)
    if dtype.startswith("float"):
        return np.round(rng.standard_normal(shape) * 8, 1).astype(dtype)
    return np.asarray(rng.integers(0 if dtype.startswith("u") else -9, 10, shape), dtype=dtype)


def axes_of(rng, shape, one=False):
    yield from (None, *range(-len(shape), 0))
    if len(shape) > 1 and not one:
        yield tuple(rng.permutation(len(shape))[:2].tolist())


@pytest.mark.parametrize("op", ["cumsum", "cumprod", "cummax", "cummin"])
def test_scans(device, rng, op):
    plain = {"cummax": np.maximum.accumulate, "cummin": np.minimum.accumulate}.get(op, getattr(np, op, None))
    for shape in SHAPES:
        for dtype in DTYPES:
            x = values(rng, shape, dtype)
            if op == "cumprod":
                x = np.where(x > 0, 1, -1).astype(dtype) if dtype[0] in "if" else (x > 0).astype(dtype)
            for axis in axes_of(rng, shape, one=True):
                if axis is None and op in ("cummax", "cummin"):
                    want = plain(x.ravel())
                elif dtype.startswith("float") and op == "cumsum":
                    # Exact sums of these, as NumPy's would be in decimals.
                    tenths = np.cumsum(np.round(x.astype(np.float64) * 10).astype(np.int64), axis)
                    want = None if dtype == "float32" else tenths / 10
                else:
                    want = plain(x, axis)
                for y in strided(x, rng):
                    got = on(device, getattr(unisono, op), y, axis)
                    if want is None:
                        flat = np.moveaxis(x, axis, 0) if axis is not None else x.ravel()
                        want = np.array([np.float32(math.fsum(map(float, c[: i + 1]))) for c in [flat.reshape(len(flat), -1)[:, 0]]
                                         for i in range(len(c))], dtype=np.float32)
                        rows = got if axis is None else np.moveaxis(got, axis, 0)
                        np.testing.assert_array_equal(rows.reshape(len(flat), -1)[:, 0], want)
                        break
                    assert got.shape == want.shape, (shape, dtype, axis)
                    if dtype == "float64" and op == "cumsum":
                        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)
                    else:
                        np.testing.assert_array_equal(got, want, err_msg=f"{shape} {dtype} {axis}")


def test_products_of_integers_to_floats():
    assert unisono.cumprod([2, 3], dtype=float).tolist() == [2, 6]
    assert unisono.nancumprod([2, 3], dtype="f4").dtype == np.float32
    # Factors are rounded first, as NumPy's.
    x = np.full(2, 16777217)
    assert unisono.prod(x, dtype="f4") == unisono.nanprod(x, dtype="f4") == np.prod(x, dtype="f4") == 2.0**48
    assert unisono.cumulative_prod([True, False], dtype="f4").tolist() == [1, 0]


def test_running_sums_are_fsums(device, rng):
    x = rng.standard_normal(3000) * 10.0 ** rng.integers(-20, 20, 3000)
    got = on(device, unisono.cumsum, x)
    assert [float(s) for s in got[::97]] == [math.fsum(x[: i + 1]) for i in range(0, 3000, 97)]
    assert bits(got[-1]) == bits(unisono.sum(x))


def test_forms_of_scans(device):
    x = np.array([[3, 1, 4], [1, 5, 9]], dtype=np.int32)
    assert on(device, unisono.cumsum, x, 1, exclusive=True).tolist() == [[0, 3, 4], [0, 1, 6]]
    assert on(device, unisono.cumsum, x, 1, reverse=True).tolist() == [[8, 5, 4], [15, 14, 9]]
    for include in (False, True):
        for axis in (0, 1):
            got = on(device, unisono.cumulative_sum, x, axis=axis, include_initial=include)
            np.testing.assert_array_equal(got, np.cumulative_sum(x, axis=axis, include_initial=include))
            got = on(device, unisono.cumulative_prod, x, axis=axis, include_initial=include)
            np.testing.assert_array_equal(got, np.cumulative_prod(x, axis=axis, include_initial=include))
    with pytest.raises(ValueError, match="axis"):
        unisono.cumulative_sum(x, device=device)
    with pytest.raises(ValueError, match="does not fit int64"):
        on(device, unisono.cumsum, np.array([2**62, 2**62]))
    assert on(device, unisono.cumsum, np.array([2**62, 2**62]), wrapping=True).tolist() == np.cumsum([2**62, 2**62]).tolist()
    out = np.zeros((2, 6), dtype=np.int64)[:, ::2]
    assert on(device, unisono.cumsum, x, 0, out=out) is out
    np.testing.assert_array_equal(out, np.cumsum(x, axis=0))
    assert on(device, unisono.cumsum, np.zeros((0, 3)), 0).shape == (0, 3)
    assert on(device, unisono.cumulative_sum, np.zeros(0), include_initial=True).tolist() == [0]


def same(got, want, dtype):
    """Equal, or for float32 within a few units in the last place: NumPy interpolates in float32."""
    assert np.shape(got) == np.shape(want)
    assert np.asarray(got).dtype == np.asarray(want).dtype
    if dtype == "float32":
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    else:
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("method", METHODS)
def test_quantiles(device, rng, method):
    for shape in SHAPES:
        for dtype in [*INTEGERS, "float32", "float64"]:
            x = values(rng, shape, dtype)
            for axis in axes_of(rng, shape):
                keepdims = bool(rng.integers(2))
                q = [0.0, 1.0, 0.5, 0.25, float(rng.random())]
                # A scalar quantile of float32 is one in NumPy too.
                want = np.array([np.quantile(x, one, axis=axis, method=method, keepdims=keepdims) for one in q])
                got = on(device, unisono.quantile, x, q, axis, keepdims, method=method)
                same(got, want, dtype)
                same(on(device, unisono.quantile, x, q[3], axis, keepdims, method=method), want[3], dtype)


def test_medians_and_percentiles(device, rng):
    for shape in SHAPES:
        for dtype in [*INTEGERS, "float32", "float64"]:
            x = values(rng, shape, dtype)
            for axis in axes_of(rng, shape):
                for y in strided(x, rng):
                    np.testing.assert_array_equal(on(device, unisono.median, y, axis), np.median(x, axis))
                same(on(device, unisono.percentile, x, [10, 99.5], axis), np.percentile(x.astype(np.float64), [10, 99.5], axis).astype(
                    dtype if dtype == "float32" else np.float64), dtype)
            if dtype.startswith("float"):
                x[rng.random(shape) < 0.3] = np.nan
                for axis in axes_of(rng, shape):
                    np.testing.assert_array_equal(on(device, unisono.median, x, axis), np.median(x, axis))
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore", RuntimeWarning)
                        want = np.nanmedian(x, axis)
                        np.testing.assert_array_equal(on(device, unisono.nanmedian, x, axis), want)
                        same(on(device, unisono.nanquantile, x, 0.3, axis), np.nanquantile(x, 0.3, axis), "float32")
    with pytest.raises(ValueError, match="at least one element"):
        unisono.median([], device=device)
    with pytest.raises(ValueError, match="from 0 to 1"):
        unisono.quantile([1, 2], 1.5, device=device)
    assert on(device, unisono.quantile, [1, 2, 3], [[0.0, 0.5], [1.0, 0.25]]).tolist() == [[1, 2], [3, 1.5]]


@pytest.mark.parametrize("kind", ["normal", "few", "equal", "wide", "int16", "uint64", "nan"])
def test_quantiles_of_long_lanes(device, rng, kind):
    n = 300_001
    x = {
        "normal": lambda: rng.standard_normal(n),
        "few": lambda: rng.integers(0, 3, n).astype(np.float32),
        "equal": lambda: np.full(n, 2.5),
        "wide": lambda: rng.standard_normal(n) * 10.0 ** rng.integers(-200, 200, n),
        "int16": lambda: rng.integers(-(2**15), 2**15, n).astype(np.int16),
        "uint64": lambda: rng.integers(0, 2**63, n).astype(np.uint64) * 2 + 1,
        "nan": lambda: np.where(rng.random(n) < 0.1, np.nan, rng.standard_normal(n)),
    }[kind]()
    q = [0.0, 0.001, 0.5, 0.75, 0.9999, 1.0]
    np.testing.assert_array_equal(on(device, unisono.quantile, x, q, method="lower"), np.quantile(x, q, method="lower"))
    np.testing.assert_array_equal(on(device, unisono.nanquantile, x, q, method="higher"), np.nanquantile(x, q, method="higher"))
    if kind != "uint64":
        assert bits(on(device, unisono.median, x[::-1])) == bits(np.median(x))


def test_topk(device, rng):
    for shape in SHAPES:
        for dtype in DTYPES:
            x = values(rng, shape, dtype)
            for axis in range(-len(shape), 0):
                n = x.shape[axis]
                for k in {0, 1, n // 2, n}:
                    for largest in (True, False):
                        order = np.argsort(x if not largest else _descending(x), axis=axis, kind="stable")
                        order = np.take(order, range(k), axis=axis)
                        for y in strided(x, rng):
                            got, where = on(device, unisono.topk, y, k, axis, largest)
                            assert where.dtype == np.int64
                            np.testing.assert_array_equal(where, order, err_msg=f"{shape} {dtype} {axis} {k} {largest}")
                            np.testing.assert_array_equal(got, np.take_along_axis(x, order, axis))
    x = np.array([1.0, np.nan, -0.0, 0.0, np.nan])
    assert on(device, unisono.topk, x, 5)[1].tolist() == [1, 4, 0, 2, 3]
    assert on(device, unisono.topk, x, 5, largest=False)[1].tolist() == [2, 3, 0, 1, 4]
    with pytest.raises(ValueError, match="k: got 6"):
        unisono.topk(x, 6, device=device)
    x = rng.integers(0, 1000, 1_000_003)
    for k in (1, 10, 5000):
        order = np.argsort(-x, kind="stable")[:k]
        np.testing.assert_array_equal(on(device, unisono.topk, x, k)[1], order)


def _descending(x):
    """Values whose ascending order is the descending one of ``x``."""
    return -x.astype(np.float64)


def test_logsumexp(device, rng):
    scipy = pytest.importorskip("scipy.special")
    for shape in SHAPES:
        for dtype in ["int32", "float32", "float64"]:
            x = (rng.standard_normal(shape) * 50).astype(dtype)
            b = rng.standard_normal(shape).astype(dtype)
            for axis in axes_of(rng, shape):
                keepdims = bool(rng.integers(2))
                rtol = 1e-6 if dtype == "float32" else 1e-14
                got = on(device, unisono.logsumexp, x, axis, keepdims=keepdims)
                want = scipy.logsumexp(x, axis=axis, keepdims=keepdims)
                assert np.shape(got) == np.shape(want)
                np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)
                if dtype == "float64":
                    got, sign = on(device, unisono.logsumexp, x, axis, b, keepdims, True)
                    want, sign_of = scipy.logsumexp(x, axis=axis, b=b, keepdims=keepdims, return_sign=True)
                    np.testing.assert_array_equal(sign, sign_of)
                    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-11)
    inf, nan = np.inf, np.nan
    for x in ([-inf, -inf], [inf, 1.0], [nan, 1.0], [1000.0, 1000.0], [-inf, 3.0], []):
        np.testing.assert_allclose(on(device, unisono.logsumexp, np.array(x)), scipy.logsumexp(np.array(x or [-inf])))
    assert np.isnan(on(device, unisono.logsumexp, [0.0, 1.0], b=[1.0, -1.0]))
    x = rng.standard_normal(500_000)
    np.testing.assert_allclose(on(device, unisono.logsumexp, x), scipy.logsumexp(x), rtol=1e-15)


def test_scans_round_to_the_dtype_asked_for(device, rng):
    x = rng.standard_normal((3, 400)) * 10.0 ** rng.integers(-15, 15, (3, 400))
    got = on(device, unisono.cumsum, x, 1, dtype="float32")
    assert got.dtype == np.float32
    assert got.tolist() == [[float(np.float32(one)) for one in row] for row in unisono.cumsum(x, 1, device="cpu")]
    wide = rng.integers(-(2**62), 2**62, 300)
    got = on(device, unisono.cumsum, wide, dtype=np.float64)
    assert got.tolist() == [float(sum(map(int, wide[: i + 1]))) for i in range(300)]
    small = rng.integers(0, 100, 50).astype(np.uint8)
    for function in ("cumsum", "cumprod"):
        got = on(device, getattr(unisono, function), small, dtype=np.uint8, wrapping=True)
        np.testing.assert_array_equal(got, getattr(np, function)(small, dtype=np.uint8))
    with pytest.raises(ValueError, match="does not fit"):
        on(device, unisono.cumsum, small, dtype=np.uint8)
    got = on(device, unisono.cumulative_sum, small, dtype=np.int32, include_initial=True)
    np.testing.assert_array_equal(got, np.cumulative_sum(small, dtype=np.int32, include_initial=True))


def test_scans_without_nan(device, rng):
    for shape in [(7,), (4, 60)]:
        x = np.where(rng.random(shape) < 0.3, np.nan, rng.integers(-3, 4, shape) / 2)
        for axis in (None, 0, -1):
            np.testing.assert_array_equal(on(device, unisono.nancumsum, x, axis), np.nancumsum(x, axis))
            np.testing.assert_array_equal(on(device, unisono.nancumprod, x, axis), np.nancumprod(x, axis))
        whole = rng.integers(-3, 4, shape)
        np.testing.assert_array_equal(on(device, unisono.nancumsum, whole, 0), np.cumsum(whole, 0))


def test_weighted_quantiles(device, rng):
    for shape in [(9,), (5, 40), (3, 4, 6)]:
        x = rng.integers(-5, 6, shape).astype(rng.choice(["float64", "float32", "int16"]))
        w = rng.integers(0, 5, shape) / 4
        w.flat[0] = w.flat[-1] = 1
        for q in (0.0, 0.25, [0.125, 0.5, 1.0], np.array([[0.3], [0.9]])):
            got = on(device, unisono.quantile, x, q, weights=w, method="inverted_cdf")
            want = np.quantile(x, q, weights=w, method="inverted_cdf")
            assert np.shape(got) == np.shape(want) and np.asarray(got).dtype == x.dtype
            np.testing.assert_array_equal(got, want)
        along = rng.integers(1, 5, shape[-1])
        for keepdims in (False, True):
            got = on(device, unisono.percentile, x, [25, 80], -1, keepdims, weights=along, method="inverted_cdf")
            want = np.percentile(x, [25, 80], -1, weights=along, method="inverted_cdf", keepdims=keepdims)
            np.testing.assert_array_equal(got, want)
    x = np.array([np.nan, 1.0, 5.0, 2.0])
    assert np.isnan(on(device, unisono.quantile, x, 0.5, weights=[1, 1, 1, 1], method="inverted_cdf"))
    assert on(device, unisono.nanquantile, x, 0.5, weights=[9, 1, 1, 1], method="inverted_cdf") == 2
    for options in ({"weights": [1, 1, 1, -1], "method": "inverted_cdf"}, {"weights": [1, 1, 1, 1]}):
        with pytest.raises(ValueError):
            on(device, unisono.nanquantile, x, 0.5, **options)


def test_quantiles_where(device, rng):
    x = rng.standard_normal((6, 50))
    x[0, :3] = np.nan
    mask = rng.random((6, 50)) < 0.5
    for method in METHODS:
        got = on(device, unisono.nanquantile, x, [0.1, 0.5], 1, where=mask, method=method)
        want = [np.nanquantile(row[taken], [0.1, 0.5], method=method) for row, taken in zip(x, mask, strict=True)]
        np.testing.assert_array_equal(got.T, want)
    got = on(device, unisono.median, x[1:], 0, where=mask[0])
    np.testing.assert_array_equal(np.isnan(got), ~mask[0])
    np.testing.assert_array_equal(got[mask[0]], np.median(x[1:, mask[0]], 0))
    assert on(device, unisono.nanmedian, [4.0, np.nan, 2.0, 9.0], where=[True, True, True, False]) == 3


def test_weights_along_axes(rng):
    a = np.arange(9.0).reshape(3, 3)[::-1] * [1, 5, 2]
    weights = dict(weights=[5, 1, 1], method="inverted_cdf")
    for axis in (0, (0,), -2, (-2,)):
        assert unisono.quantile(a, 0.5, axis, **weights).tolist() == [6, 35, 16]
        assert unisono.quantile(unisono.upload(a), 0.5, axis, **weights).numpy().tolist() == [6, 35, 16]
    for axis in (None, (0, 1), (1, 0)):
        with pytest.raises(ValueError, match=r"shape of the weights: got \(3,\), expected \(3, 3\)"):
            unisono.quantile(a, 0.5, axis, **weights)
    names = {"quantile": [0.3, 0.8], "percentile": 40, "nanquantile": 0.6, "nanpercentile": [10, 70]}
    for axes in (axes for n in (1, 2, 3) for axes in itertools.permutations(range(3), n)):
        x = rng.integers(0, 9, (2, 3, 4)).astype(float)
        w = rng.integers(1, 5, [x.shape[axis] for axis in axes])
        # In the order of the array's axes, and with an axis of length 1 for each that is left.
        spread = w.transpose(np.argsort(axes)).reshape([n if i in axes else 1 for i, n in enumerate(x.shape)])
        for name, q in names.items():
            want = getattr(np, name)(x, q, axes, weights=np.broadcast_to(spread, x.shape), method="inverted_cdf")
            np.testing.assert_array_equal(getattr(unisono, name)(x, q, axes, weights=w, method="inverted_cdf"), want)


def test_second_arrays_broadcast_and_results_go_where_they_should(device, rng):
    x = rng.standard_normal((4, 5, 6))
    mask, weights = rng.random((5, 1)) < 0.7, rng.integers(1, 5, (4, 1, 1))
    mask[0] = True
    out = np.zeros(5)
    assert on(device, unisono.median, x, (0, 2), where=mask, out=out) is out
    want = np.median(x, (0, 2))
    np.testing.assert_array_equal(out, np.where(mask[:, 0], want, np.nan))
    spread = np.broadcast_to(weights, x.shape)
    want = np.quantile(x, 0.4, axis=(0, 1), weights=spread, method="inverted_cdf")
    assert on(device, unisono.quantile, x, 0.4, (0, 1), weights=weights, method="inverted_cdf", out=np.zeros(6)).tolist() == want.tolist()
    here = [unisono.upload(array, device) for array in (x, mask, weights)]
    got = on(device, unisono.median, here[0], (0, 2), where=here[1])
    assert isinstance(got, unisono.Array)
    np.testing.assert_array_equal(np.asarray(got), out)
    got = on(device, unisono.quantile, here[0], 0.4, (0, 1), weights=here[2], method="inverted_cdf")
    np.testing.assert_array_equal(np.asarray(got), want)
    got = on(device, unisono.logsumexp, here[0], (0, 2), here[2])
    np.testing.assert_array_equal(np.asarray(got), on("cpu", unisono.logsumexp, x, (0, 2), weights))
    # Exponents that are spread over more factors, in host memory and on the device.
    want = on("cpu", unisono.logsumexp, np.broadcast_to(x[0, 0], x.shape), (0, 2), x + 3)
    for a in (x[0, 0], unisono.upload(x[0, 0], device)):
        np.testing.assert_array_equal(np.asarray(on(device, unisono.logsumexp, a, (0, 2), x + 3)), want)
    np.testing.assert_array_equal(on(device, unisono.nanprod, [2.0, np.nan], dtype="float32"), np.float32(2))
    limited = unisono.Backend(device, memory_limit=1 << 17)
    np.testing.assert_array_equal(unisono.cumsum(x, 1, device=limited), unisono.cumsum(x, 1, device="cpu"))
    if device.startswith("gpu"):
        with pytest.raises(ValueError, match="at least 65536 bytes"):
            unisono.sum(x, device=unisono.Backend(device, memory_limit=1000))


def test_cumulative_sums_and_products_in_every_form(device):
    x = np.array([3, 1, 4])
    assert unisono.cumulative_sum(x, reverse=True, device=device).tolist() == [8, 5, 4]
    assert unisono.cumulative_sum(x, include_initial=True, reverse=True, device=device).tolist() == [8, 5, 4, 0]
    assert unisono.cumulative_prod(x, include_initial=True, reverse=True, device=device).tolist() == [12, 4, 4, 1]
    large = np.array([2**62, 2**62, 2])
    with pytest.raises(ValueError, match="does not fit"):
        unisono.cumulative_sum(large, device=device)
    assert np.array_equal(unisono.cumulative_sum(large, wrapping=True, device=device), large.cumsum())
    assert np.array_equal(unisono.cumulative_prod(large, wrapping=True, device=device), large.cumprod())
