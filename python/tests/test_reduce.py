"""Reductions against NumPy over shapes, axes, dtypes and strides."""

from fractions import Fraction

import numpy as np
import pytest

import unisono
from oracle import bits

INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
DTYPES = ["bool", *INTEGERS, "float32", "float64"]
SHAPES = [(), (1,), (17,), (1000,), (3, 5), (1, 257), (257, 1), (7, 1, 9), (4, 6, 5, 3)]
OPS = ["sum", "mean", "min", "max", "argmin", "argmax", "any", "all", "count_nonzero", "prod"]


def strided(x, rng):
    """The same values under other strides."""
    yield x
    yield x.copy(order="F")
    wide = np.zeros([2 * n + 1 for n in x.shape], dtype=x.dtype)
    inside = wide[(..., *(slice(1, None, 2) for _ in x.shape))]
    inside[...] = x
    yield inside
    back = tuple(slice(None, None, -1) for _ in x.shape)
    yield x[back].copy()[back] if x.ndim else x
    order = rng.permutation(x.ndim)
    yield x.transpose(order).copy().transpose(np.argsort(order))


def values(rng, shape, dtype):
    """Few distinct values, so that ties and zeros happen; small, so that NumPy's integers do not wrap."""
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.7)
    low = 0 if dtype.startswith("u") else -3
    return np.asarray(rng.integers(low, 4, shape), dtype=dtype)


def expected(op, x, axis, keepdims):
    if op in ("argmin", "argmax"):
        # NumPy takes one axis: move the reduced ones to the end as one.
        axes = tuple(range(x.ndim)) if axis is None else tuple(a % x.ndim for a in np.atleast_1d(axis))
        kept = [a for a in range(x.ndim) if a not in axes]
        rows = x.transpose(kept + sorted(axes)).reshape([x.shape[a] for a in kept] + [-1])
        result = getattr(np, op)(rows, axis=-1)
        return result.reshape([1 if a in axes else x.shape[a] for a in range(x.ndim)]) if keepdims else result
    if op in ("sum", "prod") and x.dtype == bool:
        x = x.astype(np.uint64)
    return getattr(np, op)(x, axis=axis, keepdims=keepdims)


@pytest.mark.parametrize("op", OPS)
def test_against_numpy(device, rng, op):
    for shape in SHAPES:
        for dtype in DTYPES if device == "cpu" else rng.choice(DTYPES, 4, replace=False):
            x = values(rng, shape, dtype)
            axes = [None, *range(-len(shape), 0)]
            axes += [tuple(rng.permutation(len(shape))[:2].tolist())] if len(shape) > 1 else []
            for axis in axes:
                keepdims = bool(rng.integers(2))
                want = expected(op, x, axis, keepdims)
                for y in strided(x, rng):
                    got = getattr(unisono, op)(y, axis=axis, keepdims=keepdims, device=device)
                    assert np.shape(got) == np.shape(want), (shape, dtype, axis, keepdims)
                    if op == "mean" and dtype == "float32":
                        # NumPy's own float32 mean is rounded more than once.
                        np.testing.assert_allclose(got, want, rtol=1e-5)
                    else:
                        np.testing.assert_array_equal(got, want, err_msg=f"{shape} {dtype} {axis} {keepdims}")


def test_result_types():
    x = np.arange(6, dtype=np.int16).reshape(2, 3)
    assert type(unisono.argmax(x)) is int
    assert type(unisono.count_nonzero(x)) is int
    assert type(unisono.any(x)) is bool
    assert type(unisono.all(x)) is bool
    assert type(unisono.sum(x)) is np.int64
    assert type(unisono.sum(x.astype(np.uint8))) is np.uint64
    assert type(unisono.sum(x.astype(np.float32))) is np.float32
    assert type(unisono.mean(x)) is np.float64
    assert type(unisono.min(x)) is np.int16
    assert unisono.argmin(x, axis=0).dtype == np.int64
    assert unisono.count_nonzero(x, axis=0).dtype == np.int64
    assert unisono.all(x, axis=0).dtype == np.bool_
    assert unisono.min(x, keepdims=True).shape == (1, 1)


def test_extremes_of_every_integer_dtype(device):
    for dtype in INTEGERS:
        info = np.iinfo(dtype)
        x = np.array([1, info.max, info.min, info.max, info.min], dtype=dtype)
        assert unisono.max(x, device=device) == info.max
        assert unisono.min(x, device=device) == info.min
        assert unisono.argmax(x, device=device) == 1
        assert unisono.argmin(x, device=device) == int(np.argmin(x))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_float_extremes(device, dtype):
    nan, tiny = np.nan, np.finfo(dtype).smallest_subnormal

    def on(op, values):
        return getattr(unisono, op)(np.array(values, dtype=dtype), device=device)

    assert on("argmin", [2, 1, 1, 3]) == 1
    assert on("argmax", [0, -0.0, 0]) == 0
    assert on("argmin", [0.0, -0.0]) == 0
    assert on("argmin", [1, nan, 0, nan]) == 1
    assert on("argmax", [1, nan, 9, nan]) == 1
    assert np.isnan(on("min", [1, nan, 0]))
    assert np.isnan(on("max", [nan, 1]))
    assert np.signbit(on("min", [0.0, -0.0]))
    assert not np.signbit(on("max", [-0.0, 0.0]))
    assert on("min", [tiny, 2 * tiny]) == tiny
    assert on("max", [-np.inf, -tiny]) == -tiny
    assert on("argmax", [0, tiny]) == 1
    assert on("count_nonzero", [0, -0.0, tiny, nan]) == 2
    assert on("any", [0, tiny]) is True
    assert on("all", [nan, np.inf]) is True


def test_products(device, rng):
    x = rng.uniform(0.5, 2, 1000)
    exact = Fraction(1)
    for one in x:
        exact *= Fraction(float(one))
    got = Fraction(float(unisono.prod(x, device=device)))
    assert abs(got - exact) <= len(x) * Fraction(1, 2**53) * exact
    assert unisono.prod([1e300, 1e300, 1e-300, 1e-300], device=device) == pytest.approx(1, rel=2**-50)
    assert unisono.prod(np.array([2**32, 2**32, 0], dtype=np.int64), device=device) == 0
    assert unisono.prod(np.full(62, 2, dtype=np.uint8), device=device) == 2**62
    with pytest.raises(ValueError, match="does not fit int64"):
        unisono.prod(np.full(63, 2, dtype=np.int8), device=device)


def test_empty(device):
    empty = np.zeros((0, 3), dtype=np.float32)
    assert unisono.sum(empty, axis=0, device=device).tolist() == [0, 0, 0]
    assert unisono.prod(empty, axis=0, device=device).tolist() == [1, 1, 1]
    assert unisono.sum(empty, axis=1, device=device).shape == (0,)
    assert unisono.any(empty, device=device) is False
    assert unisono.all(empty, device=device) is True
    assert unisono.count_nonzero(empty, device=device) == 0
    for op in ("min", "max", "argmin", "argmax"):
        with pytest.raises(ValueError, match="at least one element"):
            getattr(unisono, op)(empty, device=device)


def test_larger_than_a_block(device, rng):
    x = rng.integers(-(2**40), 2**40, 300_007)
    for op in ("sum", "min", "max", "argmin", "argmax"):
        assert getattr(unisono, op)(x, device=device) == getattr(np, op)(x)
    y = rng.standard_normal((511, 1027)).astype(np.float32)
    for axis in (0, 1):
        assert bits(unisono.max(y, axis=axis, device=device)) == bits(y.max(axis=axis))
        np.testing.assert_array_equal(unisono.argmin(y, axis=axis, device=device), y.argmin(axis=axis))
