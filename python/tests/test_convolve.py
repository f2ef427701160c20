"""Convolution against its definition and against SciPy."""

from fractions import Fraction

import numpy as np
import pytest
from scipy import ndimage, signal

import unisono
from oracle import convolved, rounded

BOUNDARIES = ["constant", "reflect", "nearest", "mirror", "wrap"]
SIZES = [((1,), (1,)), ((5,), (3,)), ((257,), (16,)), ((3,), (8,)), ((6, 7), (3, 3)), ((33, 65), (4, 1)),
         ((40, 31), (10, 10)), ((2, 3), (3, 4)), ((4, 5, 6), (2, 3, 1)), ((7, 1, 5), (3, 3, 3))]  # fmt: skip


def has_f64(device):
    return unisono.Backend(device).info.f64


def floats(rng, shape, dtype):
    return rng.uniform(-1, 1, shape).astype(dtype)


def assert_close(got, image, kernel, mode, boundary="constant", fill=0):
    """Within ``taps * eps * sum(|k| |x|)`` of the definition in float64, itself that close to the exact value."""
    exact = convolved(image.astype(float), kernel.astype(float), mode, boundary, fill)
    scale = convolved(np.abs(image.astype(float)), np.abs(kernel.astype(float)), mode, boundary, abs(fill))
    eps = np.finfo(got.dtype).eps / 2 + np.finfo(float).eps
    assert got.shape == exact.shape
    assert np.all(np.abs(got - exact) <= kernel.size * eps * scale)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_integers_equal_the_definition(device, rng, mode, boundary):
    for shape, kernel_shape in SIZES:
        larger = [n >= k for n, k in zip(shape, kernel_shape)]
        if mode == "valid" and not (all(larger) or not any(larger)):
            continue
        image, kernel = rng.integers(-99, 100, shape), rng.integers(-99, 100, kernel_shape)
        for dtype in ("int16", "int64"):
            how = {"mode": mode, "boundary": boundary, "ndim": len(shape), "device": device, "out_dtype": "int64"}
            how["fill_value"] = fill = -7 if boundary == "constant" else 0
            want = convolved(image, kernel, mode, boundary, fill)
            got = unisono.convolve(image.astype(dtype), kernel.astype(dtype), **how)
            np.testing.assert_array_equal(got, want)
            flipped = kernel.astype(dtype)[(slice(None, None, -1),) * kernel.ndim]
            np.testing.assert_array_equal(unisono.correlate(image.astype(dtype), flipped, **how), want)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_floats_within_the_bound(device, rng, dtype, boundary):
    if dtype == "float64" and not has_f64(device):
        with pytest.raises(RuntimeError, match="no 64-bit floats"):
            unisono.convolve(np.ones((4, 4)), np.ones((2, 2)), device=device)
        pytest.skip("the device has no float64, and says so")
    for shape, kernel_shape in SIZES:
        image, kernel = floats(rng, shape, dtype), floats(rng, kernel_shape, dtype)
        fill = 0.25 if boundary == "constant" else 0
        for mode in ("full", "same"):
            got = unisono.convolve(image, kernel, mode, boundary, fill, len(shape), device)
            assert got.dtype == dtype
            assert_close(got, image, kernel, mode, boundary, fill)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_against_scipy_signal(device, rng, mode):
    for shape, kernel_shape in [((20, 30), (5, 4)), ((50,), (7,)), ((8, 9, 10), (3, 2, 3))]:
        image, kernel = rng.integers(0, 100, shape), rng.integers(0, 100, kernel_shape)
        for name in ("convolve", "correlate"):
            want = getattr(signal, name)(image, kernel, mode, method="direct")
            got = getattr(unisono, name)(image, kernel, mode, ndim=len(shape), device=device)
            np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_against_scipy_ndimage(device, rng, boundary):
    for shape, kernel_shape in [((20, 31), (5, 3)), ((6, 7), (7, 5)), ((40,), (9,)), ((7, 8, 9), (3, 3, 5))]:
        image, kernel = rng.integers(0, 100, shape), rng.integers(-50, 50, kernel_shape)
        fill = 3 if boundary == "constant" else 0
        for name in ("convolve", "correlate"):
            want = getattr(ndimage, name)(image, kernel, mode=boundary, cval=fill)
            got = getattr(unisono, name)(image, kernel, "same", boundary, fill, len(shape), device)
            np.testing.assert_array_equal(got, want)


def test_signal_boundaries(device, rng):
    image, kernel = rng.integers(0, 9, (12, 13)), rng.integers(0, 9, (3, 5))
    for boundary, fill in (("fill", 2), ("symm", 0), ("wrap", 0)):
        want = signal.convolve2d(image, kernel, "full", boundary, fill)
        got = unisono.convolve(image, kernel, "full", boundary, fill, device=device)
        np.testing.assert_array_equal(got, want)


def test_batches_and_banks(device, rng):
    images, bank = rng.integers(0, 100, (2, 3, 9, 11)), rng.integers(0, 100, (4, 3, 2))
    got = unisono.convolve(images, bank, device=device)
    assert got.shape == (2, 3, 4, 11, 12)
    for index in np.ndindex(2, 3, 4):
        np.testing.assert_array_equal(got[index], convolved(images[index[:2]], bank[index[2]], "full"))


def test_boundary_per_axis(device, rng):
    image, kernel = rng.integers(0, 100, (6, 8)), rng.integers(0, 100, (3, 3))
    got = unisono.convolve(image, kernel, "same", ["wrap", "nearest"], device=device)
    padded = np.pad(np.pad(image, ((1, 1), (0, 0)), mode="wrap"), ((0, 0), (1, 1)), mode="edge")
    np.testing.assert_array_equal(got, signal.convolve(padded, kernel, "valid", method="direct"))


def test_a_fill_value_needs_a_constant_boundary():
    x = np.ones((4, 4))
    found = unisono.convolve(x, np.ones((3, 3)), "same", ["wrap", "constant"], 2.0)
    assert np.array_equal(found, signal.convolve2d(np.pad(x, ((0, 0), (1, 1)), constant_values=2), np.ones((3, 3)), "same", "wrap")[:, 1:-1])
    for boundary in ("reflect", ["wrap", "mirror"], "constant:2"):
        with pytest.raises(ValueError, match="fill_value: got 3, expected 0 where the boundary is"):
            unisono.convolve(x, x, boundary=boundary, fill_value=3)
    with pytest.raises(ValueError, match="fill_value: got 1, expected 0 where the boundary is wrap"):
        unisono.explain_convolve(x, x, boundary="wrap", fill_value=1)


def test_boundary_aliases():
    image, kernel = np.arange(20).reshape(4, 5), np.arange(9).reshape(3, 3)

    def on(boundary):
        return unisono.convolve(image, kernel, "same", boundary, device="cpu").tolist()

    assert on("symm") == on("symmetric") == on("reflect")
    assert on("replicate") == on("edge") == on("nearest")
    assert on("BORDER_REFLECT_101") == on("mirror")
    assert on("constant:2") == unisono.convolve(image, kernel, "same", fill_value=2, device="cpu").tolist()


def test_promotion(device):
    image = np.array([[200, 100]], dtype=np.uint8)
    assert unisono.convolve(image, np.array([[-1]], dtype=np.int8), device=device).dtype == np.int16
    assert unisono.convolve(image, np.array([[1]], dtype=np.float32), device=device).dtype == np.float32
    with pytest.raises(ValueError, match="does not fit uint8; .*wider dtype"):
        unisono.convolve(image, np.array([[2]], dtype=np.uint8), device=device)
    wide = unisono.convolve(image, np.array([[2]], dtype=np.uint8), device=device, out_dtype=np.uint16)
    assert wide.dtype == np.uint16
    assert wide.tolist() == [[400, 200]]


def test_strided_operands(device, rng):
    image, kernel = rng.integers(0, 99, (30, 44)), rng.integers(0, 99, (5, 6))
    for x, k in [
        (image[::2, ::-3], kernel[::-1]),
        (image.T, kernel.T),
        (np.asfortranarray(image), kernel[:, ::2]),
        (np.broadcast_to(image[0], (7, 44)), np.broadcast_to(3, (2, 2))),
    ]:
        want = convolved(np.ascontiguousarray(x), np.ascontiguousarray(k), "full")
        np.testing.assert_array_equal(unisono.convolve(x, k, device=device), want)


def test_the_bank_of_a_hundred(device, rng):
    size = 200 if device == "cpu" else 64
    image, bank = rng.integers(0, 100, (size, size)), rng.integers(0, 100, (100, 10, 10))
    got = unisono.convolve(image, bank, device=device)
    for index in (0, 57, 99):
        np.testing.assert_array_equal(got[index], convolved(image, bank[index], "full"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exact_accuracy_rounds_once(device, rng, dtype):
    image = (rng.uniform(-1, 1, (9, 13)) * 2.0 ** rng.integers(-30, 31, (9, 13))).astype(dtype)
    kernel = (rng.uniform(-1, 1, (3, 4)) * 2.0 ** rng.integers(-9, 10, (3, 4))).astype(dtype)
    # On both sides of a cancellation.
    image[4, 6], image[4, 7], kernel[1, 1], kernel[1, 2] = 2.0**40, -(2.0**40), 1.0, 1.0
    got = unisono.correlate(image, kernel, mode="valid", accuracy="exact", device=device)
    assert got.dtype == np.dtype(dtype)
    wide, weights = image.astype(object), kernel.astype(object)
    for y, x in np.ndindex(got.shape):
        window = wide[y : y + 3, x : x + 4]
        terms = [Fraction(float(a)) * Fraction(float(b)) for a, b in zip(window.ravel(), weights.ravel())]
        assert got[y, x] == rounded(sum(terms, Fraction(0)), dtype)


def test_accuracy_is_named(device):
    with pytest.raises(ValueError, match="accuracy: got \"some\", expected default, elementwise or exact"):
        unisono.convolve([[1.0]], [[1.0]], accuracy="some", device=device)
    with pytest.raises(ValueError, match="direct or auto for exact accuracy"):
        unisono.convolve([[1.0]], [[1.0]], accuracy="exact", algorithm="fft", device=device)


def test_complex_constants_lie_outside_complex_images(device, rng):
    z = (floats(rng, (9, 8), "float32") + 1j * floats(rng, (9, 8), "float32")).astype("complex64")
    w = (floats(rng, (3, 4), "float32") + 1j * floats(rng, (3, 4), "float32")).astype("complex64")
    for kernel in (w, w.real):
        expected = signal.convolve2d(z.astype(complex), kernel, fillvalue=1 - 2j)
        assert np.allclose(unisono.convolve(z, kernel, fill_value=1 - 2j, device=device), expected, atol=1e-5)
    expected = ndimage.gaussian_filter(z, 1.0, mode="constant", cval=0.5 + 2j)
    got = unisono.gaussian_filter(z, 1.0, mode="constant", cval=0.5 + 2j, device=device)
    assert np.allclose(got, expected, atol=1e-5)
    with pytest.raises(ValueError, match=r"boundary value: got constant:0\+1j, expected a real number"):
        unisono.convolve(z.real, w, fill_value=1j, device=device)
    with pytest.raises(TypeError, match="cval: got 1j, expected a real number"):
        unisono.gaussian_filter(z.real, 1.0, cval=1j, device=device)


def test_explanations_take_what_convolutions_take(rng):
    image, kernel = floats(rng, (3, 200, 200), "float32"), floats(rng, (4, 3, 41, 41), "float32")
    said = unisono.explain_convolve(image, kernel[:, 0], device="cpu")
    assert "fft" in said
    for options in ({"groups": 1}, {"stride": 2}, {"accuracy": "exact"}, {"nan": "ignore"}):
        said = unisono.explain_convolve(image, kernel if "groups" in options else kernel[0], device="cpu", **options)
        assert "algorithm direct, the only one" in said, options
    for options, error in [
        ({"ndim": -1}, "ndim: got -1"),
        ({"groups": 2}, "groups"),
        ({"boundary": "mirrored"}, "boundary"),
        ({"nan": "omit"}, "nan: got 'omit'"),
    ]:
        with pytest.raises(ValueError, match=error):
            unisono.explain_convolve(image, kernel, device="cpu", **options)
