"""Random numbers: the same bits on every device, SciPy's quantiles, NumPy's conventions."""

import pickle

import numpy as np
import pytest
from scipy import special

import unisono

FLOATS = [np.float32, np.float64]


def test_every_device_draws_the_same(device):
    for dtype in FLOATS:
        for draw in [lambda rng: rng.uniform(-2, 3, 1003, dtype), lambda rng: rng.normal(1, 2, (7, 11), dtype)]:
            expected = draw(unisono.random.default_rng(5, device="cpu:1"))
            got = draw(unisono.random.default_rng(5, device=device))
            np.testing.assert_array_equal(got, expected)
            assert got.dtype == dtype


def test_quantiles_are_scipys():
    n = 100_000
    u = unisono.random.default_rng(3, device="cpu").random(n)
    z = unisono.random.default_rng(3, device="cpu").normal(size=n)
    # Both are made of the same words. Below the median the probability is u, which was rounded down by 2^-61 at most; SciPy's
    # quantiles may be off by some units in their last place.
    below = u < 0.5
    u, z = u[below], z[below]
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    assert (np.abs(z + special.ndtri(u)) <= 2.0**-61 / density + 8e-15).all()
    e = unisono.random.default_rng(3, device="cpu").exponential(size=n)[below]
    assert (np.abs(e + np.log(u)) <= 2.0**-61 / u + 8e-15).all()


def test_size_dtype_out_and_position(device):
    rng = unisono.random.Generator(1, device=device)
    assert isinstance(rng.normal(), np.float64) and rng.position == 1
    whole = unisono.random.Generator(1, position=1, device=device).random((4, 6), np.float32)
    out = np.empty((6, 4), np.float32).T
    assert rng.random(out=out) is out
    np.testing.assert_array_equal(out, whole)
    assert rng.position == 7
    resident = rng.random((4, 6), np.float32, resident=True)
    assert isinstance(resident, unisono.Array) and resident.shape == (4, 6)
    again = unisono.random.Generator(1, position=7, device=device)
    np.testing.assert_array_equal(resident.numpy(), again.random((4, 6), np.float32))
    copy = pickle.loads(pickle.dumps(again))
    assert copy.normal() == again.normal()


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.int16, np.uint32, np.int64, np.uint64])
def test_integers(dtype, device):
    low, high = (0, 2) if dtype == np.bool_ else (3, 10)
    got = unisono.random.default_rng(2, device=device).integers(low, high, size=1001, dtype=dtype)
    assert got.dtype == dtype and got.min() == low and got.max() == high - 1
    assert unisono.random.default_rng(2, device=device).integers(1) == 0


def test_integers_beyond_128_bits():
    rng = unisono.random.default_rng(1)
    for low, high in [(0, 2**64), (0, 2**130), (-(2**2000), 5)]:
        with pytest.raises(ValueError, match=f"random integers: got {low} to below {high}, expected integers of int64, -9"):
            rng.integers(low, high)
    with pytest.raises(ValueError, match="expected integers of uint8, 0 to 255"):
        rng.integers(2**130, out=np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="resident: got True beside out"):
        rng.random(out=np.zeros(3), resident=True)
    assert rng.position == 0


def test_what_cannot_be_drawn():
    rng = unisono.random.default_rng(device="cpu")
    for draw, word in [
        (lambda: rng.uniform(1, 0, 3), "low 1"),
        (lambda: rng.normal(scale=-1.0), "-1"),
        (lambda: rng.integers(0, 300, dtype=np.uint8), "uint8"),
        (lambda: rng.integers(5, 5), "5"),
        (lambda: rng.random(3, out=np.empty(4)), "shape of out"),
        (lambda: unisono.random.Generator(bit_generator="mt19937"), "mt19937"),
    ]:
        with pytest.raises(ValueError, match=word):
            draw()
    with pytest.raises(TypeError, match="float32 or float64"):
        rng.normal(size=3, dtype=np.int32)
    assert rng.position == 0


def test_numbers_of_a_generator():
    rng = unisono.random.default_rng()
    assert rng.seed == 0 and rng.random() == unisono.random.default_rng(0).random()
    for name, call in [
        ("seed", lambda: unisono.random.default_rng(-1)),
        ("seed", lambda: unisono.random.default_rng(2**64)),
        ("seed", lambda: setattr(rng, "seed", -1)),
        ("stream", lambda: unisono.random.Generator(1, stream=-1)),
        ("position", lambda: unisono.random.Generator(1, position=2**64)),
        ("position", lambda: setattr(rng, "position", -1)),
        ("size", lambda: rng.random(-1)),
        ("size", lambda: rng.normal(size=(2, -3))),
    ]:
        with pytest.raises(ValueError, match=rf"{name}: got -?\d+, expected 0 to 2\^64 - 1"):
            call()
    assert rng.position == 1
    for name, call in [("seed", lambda: unisono.random.default_rng(None)), ("size", lambda: rng.random(1.5))]:
        with pytest.raises(TypeError, match=f"{name}: got .*, expected an integer"):
            call()
