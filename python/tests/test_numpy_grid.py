"""Thousands of small random cases beside NumPy: shapes, axes, strides, dtypes, masks, initial values, for every reduction.

Integers are NumPy's, wrapped where they wrap. Floats are at least as close to the exact value as NumPy's, and sums of float64
are those of :func:`math.fsum` wherever that returns.
"""

import math
from fractions import Fraction

import numpy as np
import pytest

import unisono
from test_reduce import DTYPES, INTEGERS, strided

FLOATS = ["float32", "float64"]
ROUNDED = ["sum", "mean", "var", "std", "norm", "vecdot"]


def shape_of(rng):
    rank = rng.choice([0, 1, 1, 2, 2, 3, 4])
    return tuple(int(n) for n in rng.choice([0, 1, 2, 3, 5, 7], rank, p=[0.04, 0.16, 0.2, 0.2, 0.2, 0.2]))


def axis_of(rng, rank):
    """None, one axis, or several, of either sign."""
    kind = rng.integers(4)
    if kind == 0 or rank == 0:
        return None if kind < 2 else ()
    if kind == 1:
        return int(rng.integers(-rank, rank))
    axes = rng.permutation(rank)[: rng.integers(1, rank + 1)]
    return tuple(int(axis - rank * rng.integers(2)) for axis in axes)


def values_of(rng, shape, dtype):
    if dtype == "bool":
        return np.asarray(rng.random(shape) < 0.6)
    if dtype in INTEGERS:
        info = np.iinfo(dtype)
        if rng.integers(2):
            return np.asarray(rng.integers(max(info.min, -4), 5, shape), dtype=dtype)
        return np.asarray(rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True))
    kind = rng.integers(4)
    if kind == 0:
        return np.asarray(rng.integers(-3, 4, shape), dtype=dtype)
    if kind == 1:
        return np.asarray(rng.standard_normal(shape) * 10.0 ** rng.integers(-15, 15, shape), dtype=dtype)
    if kind == 2:
        cancelling = rng.standard_normal(shape) * 1e16
        return np.asarray(np.where(rng.random(shape) < 0.5, np.round(cancelling), rng.standard_normal(shape)), dtype=dtype)
    return np.asarray(rng.choice([0.0, -0.0, 1.0, -1.5, np.finfo(dtype).smallest_subnormal, 1e30, -1e30], shape), dtype=dtype)


def lanes(x, axis):
    """The elements that go into each result, in C order, and the shape of the results."""
    axes = range(x.ndim) if axis is None else [a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis)]
    kept = [a for a in range(x.ndim) if a not in list(axes)]
    shape = [x.shape[a] for a in kept]
    rows = x.transpose(kept + sorted(axes)).reshape([math.prod(shape), -1] if x.size else [math.prod(shape), 0])
    return rows, tuple(shape)


def cases(rng, count, dtypes):
    for _ in range(count):
        shape, dtype = shape_of(rng), str(rng.choice(dtypes))
        x = values_of(rng, shape, dtype)
        views = list(strided(x, rng))
        yield views[rng.integers(len(views))], axis_of(rng, x.ndim), bool(rng.integers(2))


def refused(function, *args, **options):
    """The result, or None where the operation has none: of nothing."""
    try:
        with np.errstate(all="ignore"):
            return function(*args, **options)
    except ValueError:
        return None


def test_integers_are_those_of_numpy(device, rng):
    few = 2500 if device == "cpu" else 60
    for x, axis, keepdims in cases(rng, few, ["bool", *INTEGERS]):
        op = str(rng.choice(["sum", "prod", "min", "max", "any", "all", "count_nonzero", "ptp", "argmin", "argmax"]))
        options, ours = {}, {}
        if op in ("sum", "prod", "min", "max", "any", "all", "count_nonzero") and rng.integers(3) == 0:
            mask = rng.random(x.shape) < 0.6
            if op == "count_nonzero":
                pass
            elif op in ("min", "max"):
                # NumPy takes a mask only with an initial value.
                options = {"where": mask, "initial": x.dtype.type(1)}
            else:
                options = {"where": mask}
        if op in ("sum", "prod") and rng.integers(3) == 0:
            options["initial"] = int(rng.integers(0, 5))
        if op in ("sum", "prod", "ptp"):
            ours["overflow"] = "wrap"
        if op in ("argmin", "argmax"):
            rows, kept = lanes(x, axis)
            want = refused(getattr(np, op), rows, axis=-1) if rows.shape[1] or not len(rows) else None
            if rows.shape[1] == 0 and len(rows) == 0:
                continue
            want = None if want is None else want.reshape(kept)
            keepdims = False
        elif op == "ptp" and x.dtype == bool:
            continue
        else:
            y = x
            if op in ("sum", "prod"):
                y = x.astype(np.int64 if x.dtype.kind == "i" else np.uint64)
            want = refused(getattr(np, op), y, axis=axis, keepdims=keepdims, **options)
        got = refused(getattr(unisono, op), x, axis=axis, keepdims=keepdims, device=device, **options, **ours)
        about = f"{op} {x.dtype} {x.shape} {x.strides} {axis} {keepdims} {options}"
        if want is None and np.size(got) == 0:
            # NumPy has no result even where there is none to have.
            continue
        assert (got is None) == (want is None), about
        if want is not None:
            assert np.shape(got) == np.shape(want), about
            np.testing.assert_array_equal(got, want, err_msg=about)


def exact_of(op, row, other, ddof):
    """The exact value of a reduction of finite numbers, for roots the square of it; None of nothing."""
    numbers = [Fraction(float(one)) for one in row]
    n = len(numbers)
    if op == "vecdot":
        return sum((a * Fraction(float(b)) for a, b in zip(numbers, other, strict=True)), Fraction(0))
    if op == "norm":
        return sum((a * a for a in numbers), Fraction(0))
    total = sum(numbers, Fraction(0))
    if op == "sum":
        return total
    if n == 0 or n <= ddof:
        return None
    if op == "mean":
        return total / n
    return (n * sum((a * a for a in numbers), Fraction(0)) - total * total) / (n * (n - ddof))


def distance(op, got, exact):
    """How far a result is from the exact value; of roots in the order of distances."""
    if not math.isfinite(got):
        return None
    if op not in ("std", "norm"):
        return abs(Fraction(float(got)) - exact)
    root = Fraction(math.isqrt(exact.numerator * exact.denominator << 400), exact.denominator << 200)
    return abs(Fraction(float(got)) - root)


def numpy_of(op, x, y, axis, ddof, where):
    with np.errstate(all="ignore"):
        if op == "vecdot":
            return np.sum(x * y, axis=axis)
        if op == "norm":
            return np.sqrt(np.sum(x * x, axis=axis))
        options = {} if where is None else {"where": where}
        if op in ("var", "std"):
            return getattr(np, op)(x, axis=axis, ddof=ddof, **options)
        return getattr(np, op)(x, axis=axis, **options)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_floats_are_no_farther_from_the_exact_value_than_numpys(device, rng):
    few = 2500 if device == "cpu" else 60
    for x, axis, _ in cases(rng, few, FLOATS):
        op, ddof = str(rng.choice(ROUNDED)), 0
        other = values_of(rng, x.shape, str(x.dtype)) if op == "vecdot" else None
        where = rng.random(x.shape) < 0.7 if op in ("sum", "mean", "var", "std") and rng.integers(3) == 0 else None
        options = {} if where is None else {"where": where}
        if op in ("var", "std"):
            ddof = int(rng.integers(2))
            options["ddof"] = ddof
        about = f"{op} {x.dtype} {x.shape} {x.strides} {axis} {options}"
        args = (x, other) if op == "vecdot" else (x,)
        got = refused(getattr(unisono, op), *args, axis=axis, device=device, **options)
        want = refused(numpy_of, op, x, other, axis, ddof, where)
        rows, shape = lanes(x, axis)
        others = lanes(other, axis)[0] if other is not None else rows
        masks = lanes(where, axis)[0] if where is not None else np.ones(rows.shape, dtype=bool)
        if got is None:
            assert rows.shape[1] == 0, about
            continue
        assert np.shape(got) == shape, about
        for row, beside, mask, ours, theirs in zip(rows, others, masks, np.ravel(got), np.ravel(want), strict=True):
            row, beside = row[mask], beside[mask]
            exact = exact_of(op, row, beside, ddof)
            if exact is None:
                assert not np.isfinite(ours), about
                continue
            mine, his = distance(op, ours, exact), distance(op, theirs, exact)
            assert mine is not None or abs(exact) > Fraction(float(np.finfo(x.dtype).max)), about
            assert his is None or mine is None or mine <= his, f"{about} {row}"
            if op == "sum" and x.dtype == np.float64:
                assert float(ours) == math.fsum(row), about


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_extremes_and_counts_of_floats_are_those_of_numpy(device, rng):
    few = 1200 if device == "cpu" else 40
    for x, axis, keepdims in cases(rng, few, FLOATS):
        if rng.integers(3) == 0 and x.size:
            x = x.copy()
            x.flat[rng.integers(x.size)] = rng.choice([np.nan, np.inf, -np.inf])
        op = str(rng.choice(["min", "max", "ptp", "any", "all", "count_nonzero", "nanmin", "nanmax"]))
        want = refused(getattr(np, op), x, axis=axis, keepdims=keepdims)
        got = refused(getattr(unisono, op), x, axis=axis, keepdims=keepdims, device=device)
        about = f"{op} {x.dtype} {x.shape} {x.strides} {axis} {keepdims}"
        if want is None and np.size(got) == 0:
            # NumPy has no result even where there is none to have.
            continue
        assert (got is None) == (want is None), about
        if want is not None:
            assert np.shape(got) == np.shape(want), about
            np.testing.assert_array_equal(got, want, err_msg=about)


def test_scans_are_those_of_numpy(device, rng):
    few = 800 if device == "cpu" else 30
    for x, axis, _ in cases(rng, few, DTYPES):
        if isinstance(axis, tuple):
            axis = axis[0] if axis else None
        op = str(rng.choice(["cumsum", "cumprod"]))
        integer = x.dtype.kind in "bui"
        y = x.astype(np.int64 if x.dtype.kind == "i" else np.uint64) if integer else x.astype(np.float64)
        with np.errstate(all="ignore"):
            want = getattr(np, op)(y, axis=axis)
        got = getattr(unisono, op)(x, axis=axis, wrapping=True, device=device)
        about = f"{op} {x.dtype} {x.shape} {x.strides} {axis}"
        assert got.shape == want.shape, about
        if integer:
            np.testing.assert_array_equal(got, want, err_msg=about)
        elif op == "cumsum":
            if not x.size:
                continue
            rows = [x.ravel()] if axis is None else np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
            found = [got] if axis is None else np.moveaxis(got, axis, -1).reshape(-1, x.shape[axis])
            for row, sums in zip(rows, found, strict=True):
                for i, total in enumerate(sums):
                    assert total == row.dtype.type(math.fsum(row[: i + 1])) or x.dtype == np.float32, about
