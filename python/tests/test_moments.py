"""Variances, norms, dot products, masks, NaN passed over and chunks, against fractions and NumPy."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest

import unisono
from oracle import bits, rounded

FLOATS = ["float32", "float64"]
SHAPES = [(7,), (1000,), (3, 5), (4, 6, 5)]


def axes_of(shape, rng):
    yield None
    yield int(rng.integers(-len(shape), len(shape)))
    if len(shape) > 1:
        yield tuple(rng.permutation(len(shape))[:2].tolist())


def lanes(x, axis):
    """The elements behind each result, in C order of the results."""
    axes = tuple(range(x.ndim)) if axis is None else tuple(a % x.ndim for a in np.atleast_1d(axis))
    kept = [a for a in range(x.ndim) if a not in axes]
    return x.transpose(kept + sorted(axes)).reshape([math.prod(x.shape[a] for a in kept), -1])


def fractions(row):
    return [Fraction(float(one)) for one in row]


def variance(row, ddof):
    values = fractions(row)
    n = len(values)
    if n == 0:
        return None
    mean = sum(values) / n
    return sum((one - mean) ** 2 for one in values) / (n - ddof)


def root(value, dtype):
    """The correctly rounded root: from 200 bits and one that says whether there is a rest."""
    shift = 2 * 1300
    scaled = value * 2**shift
    whole = math.isqrt(scaled.numerator // scaled.denominator)
    rest = Fraction(whole) ** 2 != scaled
    return rounded(Fraction(2 * whole + rest, 2 ** (shift // 2 + 1)), dtype)


def near_or_equal(got, numpy, exact):
    """Ours is at least as close to the exact value as NumPy's."""
    return abs(Fraction(float(got)) - exact) <= abs(Fraction(float(numpy)) - exact)


@pytest.mark.parametrize("dtype", FLOATS)
def test_variances_are_correctly_rounded_and_no_further_than_numpys(device, rng, dtype):
    for shape in SHAPES:
        x = (1e4 + rng.standard_normal(shape)).astype(dtype)
        for axis in axes_of(shape, rng):
            ddof, keepdims = int(rng.integers(2)), bool(rng.integers(2))
            got = unisono.var(x, axis=axis, ddof=ddof, keepdims=keepdims, device=device)
            want = np.var(x, axis=axis, ddof=ddof, keepdims=keepdims)
            deviation = unisono.std(x, axis=axis, ddof=ddof, device=device)
            assert np.shape(got) == np.shape(want) and got.dtype == dtype
            exact = [variance(row, ddof) for row in lanes(x, axis)]
            for one, theirs, std, value in zip(np.ravel(got), np.ravel(want), np.ravel(deviation), exact):
                assert bits(one) == bits(rounded(value, dtype))
                assert bits(std) == bits(root(value, dtype))
                assert near_or_equal(one, theirs, value)


@pytest.mark.parametrize("dtype", FLOATS)
def test_norms_and_dot_products(device, rng, dtype):
    x = np.ldexp(rng.standard_normal((6, 40)), rng.integers(-40, 40, (6, 40))).astype(dtype)
    y = rng.standard_normal((6, 40)).astype(dtype)
    for axis in (None, 0, -1, (0, 1)):
        rows, others = lanes(x, axis), lanes(y, axis)
        got = np.ravel(unisono.norm(x, axis=axis, device=device))
        assert bits(got) == bits([root(sum(one**2 for one in fractions(row)), dtype) for row in rows])
        got = np.ravel(unisono.norm(x, 1, axis=axis, device=device))
        assert bits(got) == bits([rounded(sum(map(abs, fractions(row))), dtype) for row in rows])
        for ord, of in ((np.inf, np.max), (-np.inf, np.min)):
            np.testing.assert_array_equal(unisono.norm(x, ord, axis=axis, device=device), of(abs(x), axis=axis))
        got = np.ravel(unisono.vecdot(x, y, axis=axis, device=device))
        exact = [sum(a * b for a, b in zip(fractions(a), fractions(b))) for a, b in zip(rows, others)]
        assert bits(got) == bits([rounded(value, dtype) for value in exact])
    strided = x[::-2, 1::3]
    assert unisono.dot(strided, strided, device=device) == rounded(sum(one**2 for one in fractions(np.ravel(strided))), dtype)


def test_other_norms_are_near():
    x = np.array([1.5, -2.0, 0.25])
    for ord in (3, 0.5, 2.5, -1):
        assert unisono.norm(x, ord, device="cpu") == pytest.approx(np.linalg.norm(x, ord), rel=1e-14)
    assert unisono.norm([1, 0, 5], 0) == 2


@pytest.mark.parametrize("dtype", ["int8", "uint16", "int32", "uint64", "int64", "bool"])
def test_integers_are_exact(device, rng, dtype):
    info = None if dtype == "bool" else np.iinfo(dtype)
    x = rng.integers(0, 2, (5, 31)).astype(bool) if info is None else rng.integers(info.min, info.max, (5, 31), dtype=dtype, endpoint=True)
    rows = [[int(one) for one in row] for row in x]
    exact = []
    for row in rows:
        n = len(row)
        exact.append(Fraction(n * sum(v * v for v in row) - sum(row) ** 2, n * n))
    got = unisono.var(x, axis=1, device=device)
    assert bits(got) == bits([rounded(value, "float64") for value in exact])
    squares = [Fraction(sum(v * v for v in row)) for row in rows]
    assert bits(unisono.norm(x, axis=1, device=device)) == bits([root(value, "float64") for value in squares])
    got = unisono.vecdot(x, x, dtype="float64", device=device)
    assert bits(got) == bits([rounded(value, "float64") for value in squares])
    with np.errstate(all="ignore"):
        wrapped = unisono.vecdot(x, x, overflow="wrap", device=device)
        wide = x.astype(wrapped.dtype)
        np.testing.assert_array_equal(wrapped, (wide * wide).sum(axis=1))
        np.testing.assert_array_equal(unisono.sum(x, axis=0, overflow="wrap", device=device), x.astype(wrapped.dtype).sum(axis=0))
        np.testing.assert_array_equal(unisono.prod(x, axis=0, overflow="wrap", device=device), x.astype(wrapped.dtype).prod(axis=0))
        if info is not None:
            narrow = unisono.sum(x, axis=1, dtype=dtype, overflow="wrap", device=device)
            np.testing.assert_array_equal(narrow, x.sum(axis=1, dtype=dtype))
            assert narrow.dtype == dtype
    if info is not None:
        got = unisono.ptp(x.astype("int64") // 4 if dtype == "int64" else x, overflow="wrap", device=device)
        y = x.astype("int64") // 4 if dtype == "int64" else x
        assert got == np.ptp(y)


def test_nan_is_passed_over_as_numpys(device, rng):
    for shape in [(50,), (9, 13)]:
        x = rng.integers(-5, 6, shape) * 0.25
        x[rng.random(shape) < 0.3] = np.nan
        for axis in (None, -1):
            for name in ("nansum", "nanprod", "nanmin", "nanmax", "nanargmin", "nanargmax"):
                got = getattr(unisono, name)(x, axis=axis, device=device)
                np.testing.assert_array_equal(got, getattr(np, name)(x, axis=axis), err_msg=name)
            for name in ("nanmean", "nanvar", "nanstd"):
                got = getattr(unisono, name)(x, axis=axis, device=device)
                np.testing.assert_allclose(got, getattr(np, name)(x, axis=axis), rtol=1e-14, err_msg=name)
    nothing = np.array([np.nan, np.nan])
    assert unisono.nansum(nothing, device=device) == 0
    assert np.isnan(unisono.nanmin(nothing, device=device)) and np.isnan(unisono.nanvar(nothing, device=device))
    with pytest.raises(ValueError, match="NaN alone"):
        unisono.nanargmax(nothing, device=device)


def test_masks_and_initial_values_as_numpys(device, rng):
    for dtype in ("int16", "float64", "bool"):
        x = rng.integers(0, 2, (6, 9, 4)).astype(dtype) if dtype == "bool" else rng.integers(-20, 20, (6, 9, 4)).astype(dtype)
        for where in (rng.random((6, 9, 4)) < 0.5, rng.random((9, 1)) < 0.5, rng.random((6, 9, 4))[::-1] < 0.2):
            for axis in (None, 1, (0, 2)):
                call = {"axis": axis, "where": where}
                np.testing.assert_array_equal(unisono.sum(x, device=device, **call), np.sum(x, dtype="int64" if dtype != "float64" else None, **call))
                np.testing.assert_array_equal(unisono.any(x, device=device, **call), np.any(x, **call))
                np.testing.assert_array_equal(unisono.all(x, device=device, **call), np.all(x, **call))
                if dtype != "bool":
                    np.testing.assert_array_equal(unisono.min(x, initial=7, device=device, **call), np.min(x, initial=7, **call))
                    np.testing.assert_array_equal(unisono.max(x, initial=-7, device=device, **call), np.max(x, initial=-7, **call))
                counts = np.sum(np.broadcast_to(where, x.shape), axis=axis)
                if np.all(counts > 0):
                    np.testing.assert_allclose(unisono.var(x, device=device, **call), np.var(x, **call), rtol=1e-13, atol=1e-15)
    assert unisono.sum([1e100, 1.0], initial=-1e100, device=device) == 1
    assert unisono.max(np.zeros(0), initial=3.0, device=device) == 3
    with pytest.raises(ValueError, match="initial value too"):
        unisono.min([1, 2], where=[True, False], device=device)


def test_result_dtypes(device):
    x = np.array([1, 2**24, 1], dtype=np.float32)
    assert unisono.sum(x, dtype="float64", device=device) == 2**24 + 2
    assert type(unisono.sum([1, 2], dtype=np.float32, device=device)) is np.float32
    assert type(unisono.mean(x, dtype="float64", device=device)) is np.float64
    assert unisono.prod([2**40, 2**40], dtype="float64", device=device) == 2.0**80
    with pytest.raises(TypeError, match="expected float32 or float64"):
        unisono.sum(x, dtype="int32", device=device)
    out = np.zeros(2)
    assert unisono.var([[1, 3], [2, 8]], axis=1, out=out, device=device) is out and out.tolist() == [1, 9]


def test_fast_sums_are_near(rng):
    x = rng.random(100_003)
    assert unisono.sum(x, mode="fast", device="cpu") == pytest.approx(math.fsum(x), rel=1e-11)
    assert unisono.mean(x, mode="fast", device="cpu") == pytest.approx(math.fsum(x) / x.size, rel=1e-11)
    with pytest.raises(ValueError, match="exact or fast"):
        unisono.sum(x, mode="sloppy")


def test_partials_in_pieces_have_the_bits_of_the_whole(device, rng):
    x = np.ldexp(rng.standard_normal(3000), rng.integers(-300, 300, 3000))
    whole, parts, dots = unisono.Moments(), unisono.Moments(), unisono.ExactDot()
    whole.add(x, device)
    ends = None
    for piece in np.array_split(x, 7):
        part = unisono.Moments()
        part.add(piece, unisono.Backend(device))
        parts.merge(pickle.loads(pickle.dumps(part)))
        dots.add(piece, piece, device)
        found = pickle.loads(pickle.dumps(unisono.MinMax(piece, device)))
        if ends is None:
            ends = found
        else:
            ends.merge(found)
    assert parts == whole and parts.count == 3000
    assert parts.var(ddof=1) == unisono.var(x, ddof=1, device=device)
    assert parts.std() == unisono.std(x, device=device)
    assert parts.mean() == unisono.mean(x, device=device) and parts.sum() == math.fsum(x)
    assert dots.value() == float(dots) == unisono.dot(x, x, device=device)
    assert (ends.min, ends.argmin, ends.max, ends.argmax) == (x.min(), x.argmin(), x.max(), x.argmax())
    assert ends == unisono.MinMax(x, device) and unisono.MinMax([]).min is None
    for kind in (unisono.Moments, unisono.ExactDot, unisono.MinMax):
        with pytest.raises(ValueError, match="version 9"):
            kind.from_bytes(b"\x09nonsense")


def test_chunks_have_the_bits_of_the_whole(tmp_path, device, rng):
    x = rng.standard_normal((40, 3, 5)).astype(np.float32)
    for i, piece in enumerate(np.array_split(x, 4)):
        np.save(tmp_path / f"{i}.npy", piece)
    for op in ("sum", "mean", "var", "std", "min", "max", "argmin", "argmax", "count_nonzero", "ptp", "norm"):
        for axis in (None, 0, (0, 2), 1):
            files = (np.load(path, mmap_mode="r") for path in sorted(tmp_path.iterdir()))
            got = unisono.reduce_chunks(files, op, axis=axis, keepdims=True, device=device)
            want = getattr(unisono, op)(x, axis=axis, keepdims=True, device=device)
            assert got.dtype == want.dtype and np.array_equal(got, want), (op, axis)
            if op in ("sum", "mean", "var", "std", "count_nonzero", "norm"):
                pieces, mask = np.array_split(x, 4), x > 0
                got = unisono.reduce_chunks(iter(pieces), op, axis=axis, where=iter(np.array_split(mask, 4)), device=device)
                want = getattr(unisono, op)(x, axis=axis, where=mask, device=device)
                np.testing.assert_array_equal(got, want, err_msg=f"{op} {axis}")
    fast = unisono.reduce_chunks(np.array_split(x, 4), "mean", mode="fast", device=device)
    assert type(fast) is np.float32 and np.isclose(fast, x.mean(dtype=float))
    assert unisono.reduce_chunks([x], "max", initial=99, where=[x > 99], device=device) == 99
    with pytest.raises(ValueError, match="at least one"):
        unisono.reduce_chunks([])
    with pytest.raises(ValueError, match="shape of a chunk"):
        unisono.reduce_chunks([np.zeros((2, 3)), np.zeros((2, 4))])


def test_chunks_give_what_the_functions_give():
    x = np.array([[0, 3], [5, 1]], np.int16)
    for op in ("sum", "mean", "var", "std", "min", "max", "argmin", "argmax", "any", "all", "count_nonzero", "prod", "ptp", "norm"):
        got, want = unisono.reduce_chunks([x[:1], x[1:]], op), getattr(unisono, op)(x)
        assert type(got) is type(want) and got == want, op


def test_siblings_take_the_same_options(device):
    large = np.array([2**62, 2**62, 3])
    for op in ("sum", "prod"):
        plain, nan = getattr(unisono, op), getattr(unisono, f"nan{op}")
        for overflow in ("wrap", "saturate"):
            assert nan(large, overflow=overflow, device=device) == plain(large, overflow=overflow, device=device)
        with pytest.raises(ValueError, match="does not fit"):
            nan(large, device=device)
    x = np.where(np.arange(9000) % 3, np.linspace(0, 1, 9000), np.nan)
    assert np.isclose(unisono.nansum(x, mode="fast", device=device), np.nansum(x))
    assert np.isclose(unisono.nanmean(x, mode="fast", device=device), np.nanmean(x))
    for axis in ((0, 1), [0, 1], range(2), np.array([0, 1])):
        assert unisono.sum(np.ones((2, 3, 4)), axis, 1, device).shape == (1, 1, 4)
        assert unisono.median(np.ones((2, 3, 4)), axis, np.True_, device).shape == (1, 1, 4)
