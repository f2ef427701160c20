"""Sums and means of floats are exact: the exact value, rounded once."""

import math
import sys
from fractions import Fraction

import numpy as np
import pytest

import unisono
from oracle import bits, exact_sum, rounded


def cases(rng):
    """float64 arrays that break naive, pairwise and compensated summation."""
    spread = np.ldexp(rng.standard_normal(3001), rng.integers(-1070, 1000, 3001))
    pairs = np.concatenate([spread, -spread[::-1], rng.standard_normal(7)])
    yield "normal", rng.standard_normal(10_007)
    yield "spread", spread
    yield "cancelling", rng.permutation(pairs)
    yield "ill conditioned", np.array([1e100, 1.0, -1e100, 1e-100] * 257)
    yield "half way", np.array([1.0, 2.0**-53, 2.0**-105])
    yield "half way, even", np.array([1.0, 2.0**-53])
    yield "subnormal", np.full(1001, 5e-324)
    yield "to the smallest normal", np.array([2.0**-1022, -5e-324, 5e-324])
    yield "one", np.array([-0.1])
    yield "ones", np.ones(4097)


def test_sum_equals_fsum(device, rng):
    for name, x in cases(rng):
        got = unisono.sum(x, device=device)
        assert type(got) is np.float64
        assert got == math.fsum(x), name


def test_sum_is_independent_of_order_and_stride(device, rng):
    x = np.ldexp(rng.standard_normal((61, 67)), rng.integers(-500, 500, (61, 67)))
    expected = math.fsum(x.ravel())
    for y in (x, x.T, x[::-1], x[:, ::-1], np.asfortranarray(x), rng.permutation(x.ravel())):
        assert unisono.sum(y, device=device) == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sum_and_mean_are_rounded_once(device, rng, dtype):
    top = np.finfo(dtype).maxexp - 2
    bottom = np.finfo(dtype).minexp - np.finfo(dtype).nmant
    for n in (1, 2, 3, 64, 255, 1023):
        x = np.ldexp(rng.standard_normal(n), rng.integers(bottom, top, n)).astype(dtype)
        exact = exact_sum(x)
        assert unisono.sum(x, device=device) == rounded(exact, dtype)
        assert unisono.mean(x, device=device) == rounded(exact / n, dtype)


def test_no_overflow_on_the_way(device):
    big = sys.float_info.max
    assert unisono.sum([big, big, -big], device=device) == big
    assert unisono.sum([big, big], device=device) == math.inf
    assert unisono.sum([-big, -big], device=device) == -math.inf
    assert unisono.mean([big, big], device=device) == big
    assert unisono.sum([big, 2.0**969], device=device) == big
    assert unisono.sum([big, 2.0**970], device=device) == math.inf


def test_special_values(device):
    inf, nan = math.inf, math.nan
    assert unisono.sum([inf, 1.0, inf], device=device) == inf
    assert unisono.sum([-inf, 1.0], device=device) == -inf
    assert math.isnan(unisono.sum([inf, -inf], device=device))
    assert math.isnan(unisono.sum([nan, 1.0], device=device))
    assert bits(unisono.sum([], device=device)) == bits(0.0)
    assert bits(unisono.sum([-0.0, -0.0], device=device)) == bits(-0.0)
    assert bits(unisono.sum([-0.0, 0.0], device=device)) == bits(0.0)
    assert bits(unisono.sum([1.0, -1.0], device=device)) == bits(0.0)
    assert math.isnan(unisono.mean(np.zeros(0), device=device))


def test_axis_sums_are_exact(device, rng):
    x = np.ldexp(rng.standard_normal((9, 17, 33)), rng.integers(-300, 300, (9, 17, 33)))
    for axis in (0, 1, 2):
        expected = np.apply_along_axis(math.fsum, axis, x)
        assert bits(unisono.sum(x, axis=axis, device=device)) == bits(expected)
    expected = [math.fsum(x[:, i].ravel()) for i in range(17)]
    assert bits(unisono.sum(x, axis=(0, 2), device=device)) == bits(expected)


def test_integer_means_are_exact(device):
    x = np.array([2**63 - 1, 2**63 - 1, 2**63 - 2], dtype=np.int64)
    assert unisono.mean(x, device=device) == float(Fraction(3 * 2**63 - 4, 3))
    assert unisono.mean(np.array([True, False, True]), device=device) == 2 / 3


def test_integer_sums_that_do_not_fit_are_errors(device):
    with pytest.raises(ValueError, match="does not fit int64"):
        unisono.sum(np.array([2**63 - 1, 1], dtype=np.int64), device=device)
    assert unisono.sum(np.array([2**63 - 1, 1, -1], dtype=np.int64), device=device) == 2**63 - 1
