"""Thousands of random convolutions against SciPy: integers exactly, floats within the derived bound.

The seeds are fixed, and every device gets every case; pairs with float64 where it has that.
"""

import itertools

import numpy as np
import pytest
from scipy import ndimage, signal

import unisono

CASES = 5000
INTEGERS = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "int64"]
BOUNDARIES = ["constant", "reflect", "nearest", "mirror", "wrap"]


def has_f64(device):
    return unisono.Backend(device).info.f64


def dtypes(rng, device):
    """A pair of dtypes: two integers, or floats of which one may be an integer, or complex."""
    kind = rng.integers(3)
    if kind == 0:
        return str(rng.choice(INTEGERS)), str(rng.choice(INTEGERS))
    single = ["uint8", "int16", "float32"] if kind == 1 else ["int16", "float32", "complex64"]
    double = ["int32", "float32", "float64"] if kind == 1 else ["float64", "complex64", "complex128"]
    both = single if rng.integers(2) or not has_f64(device) else double
    return str(rng.choice(both)), str(rng.choice(both[-2:]))


def draw(rng, shape, dtype):
    dtype = np.dtype(dtype)
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        return rng.integers(max(info.min, -300), min(info.max, 300), shape, dtype, endpoint=True)
    values = rng.uniform(-1, 1, shape)
    if dtype.kind == "c":
        values = values + 1j * rng.uniform(-1, 1, shape)
    return values.astype(dtype)


def wide(a):
    """The same values in the widest dtype of their kind."""
    return a.astype({"c": "complex128", "f": "float64"}.get(a.dtype.kind, "int64"))


def size(a):
    """Magnitudes of which products bound the parts of products."""
    return np.abs(a.real.astype(float)) + np.abs(a.imag.astype(float))


def check(got, reference, image, kernel, label):
    """``reference(image, kernel)`` is SciPy's answer in the dtypes of its operands."""
    want = reference(wide(image), wide(kernel))
    assert got.shape == want.shape, label
    if got.dtype.kind in "iu":
        assert np.array_equal(got, want), label
        return
    scale = reference(size(image), size(kernel))
    # Every product and every addition rounds once, here and (in float64) in SciPy.
    taps = kernel.size * (2 if got.dtype.kind == "c" else 1)
    here, there = np.finfo(got.dtype).eps / 2, np.finfo(float).eps / 2
    bound = 2 * taps * (here + there) * np.abs(scale) + 1e-37
    error = np.abs(got.astype(want.dtype) - want)
    # Of a complex number each part is within the bound.
    assert np.all(error <= (np.sqrt(2) if got.dtype.kind == "c" else 1) * bound), label


def options(image, kernel, device, **more):
    integers = image.dtype.kind in "iu" and kernel.dtype.kind in "iu"
    return {"ndim": kernel.ndim, "device": device, "out_dtype": "int64" if integers else None} | more


def test_signal_convolve_and_correlate(device):
    rng = np.random.default_rng(1)
    for index in range(CASES):
        ndim = int(rng.integers(1, 4))
        longest, widest = [(60, 30), (16, 8), (7, 4)][ndim - 1]
        shape, kernel_shape = rng.integers(1, longest, ndim), rng.integers(1, widest, ndim)
        mode = str(rng.choice(["full", "same", "valid"]))
        if mode == "valid":
            # One operand contains the other: SciPy swaps them if it is the second.
            shape, kernel_shape = np.maximum(shape, kernel_shape), np.minimum(shape, kernel_shape)
            if rng.integers(3) == 0:
                shape, kernel_shape = kernel_shape, shape
        first, second = dtypes(rng, device)
        image, kernel = draw(rng, shape, first), draw(rng, kernel_shape, second)
        name = str(rng.choice(["convolve", "correlate"]))
        got = getattr(unisono, name)(image, kernel, mode, **options(image, kernel, device))
        scipy_function = getattr(signal, name)
        label = (index, name, mode, image.shape, kernel.shape, first, second)
        check(got, lambda x, k: scipy_function(x, k, mode, method="direct"), image, kernel, label)


def test_signal_convolve2d_and_correlate2d(device):
    rng = np.random.default_rng(2)
    for index in range(CASES):
        shape, kernel_shape = rng.integers(1, 20, 2), rng.integers(1, 9, 2)
        mode = str(rng.choice(["full", "same", "valid"]))
        boundary = str(rng.choice(["fill", "wrap", "symm"]))
        if mode == "valid" or boundary != "fill":
            shape, kernel_shape = np.maximum(shape, kernel_shape), np.minimum(shape, kernel_shape)
        if mode == "valid" and rng.integers(3) == 0:
            shape, kernel_shape = kernel_shape, shape
        first, second = dtypes(rng, device)
        image, kernel = draw(rng, shape, first), draw(rng, kernel_shape, second)
        name, fill = str(rng.choice(["convolve", "correlate"])), int(rng.integers(0, 9)) * (boundary == "fill")
        how = options(image, kernel, device, boundary=boundary, fill_value=fill, centre="signal2d")
        got = getattr(unisono, name)(image, kernel, mode, **how)
        scipy_function = getattr(signal, name + "2d")
        # Where correlate2d swaps its operands it conjugates the image instead of the kernel; correlate does not.
        swapped = name == "correlate" and mode == "valid" and bool(np.any(np.array(shape) < kernel_shape))

        def reference(x, k):
            want = scipy_function(x, k, mode, boundary, fill)
            return np.conj(want) if swapped else want

        label = (index, name, mode, boundary, image.shape, kernel.shape, first, second)
        check(got, reference, image, kernel, label)


def test_ndimage_convolve_and_correlate(device):
    rng = np.random.default_rng(3)
    for index in range(CASES):
        ndim = int(rng.integers(1, 4))
        longest, widest = [(50, 20), (14, 9), (7, 5)][ndim - 1]
        shape, kernel_shape = rng.integers(1, longest, ndim), rng.integers(1, widest, ndim)
        batch = [int(rng.integers(1, 4))] if ndim < 3 and rng.integers(3) == 0 else []
        first, second = dtypes(rng, device)
        image, kernel = draw(rng, [*batch, *shape], first), draw(rng, kernel_shape, second)
        boundary, fill = str(rng.choice(BOUNDARIES)), int(rng.integers(0, 9))
        origin = [int(rng.integers(-(k // 2), (k - 1) // 2, endpoint=True)) for k in kernel_shape]
        name = str(rng.choice(["convolve", "correlate"]))
        if boundary == "reflect" and any(2 * k > 4 * n for n, k in zip(shape, kernel_shape)):
            # SciPy 1.17 loses count where a kernel reaches four lengths of the image beyond it.
            boundary = "mirror"
        fill *= boundary == "constant"
        how = options(image, kernel, device, boundary=boundary, fill_value=fill, origin=origin, centre="ndimage")
        got = getattr(unisono, name)(image, kernel, "same", **how)
        scipy_function = getattr(ndimage, name)

        def reference(x, k):
            if not batch:
                return scipy_function(x, k, mode=boundary, cval=fill, origin=origin)
            return np.stack([scipy_function(one, k, mode=boundary, cval=fill, origin=origin) for one in x])

        label = (index, name, boundary, fill, origin, image.shape, kernel.shape, first, second)
        check(got, reference, image, kernel, label)


def test_boundaries_of_each_axis(device):
    pad = {"constant": "constant", "reflect": "symmetric", "nearest": "edge", "mirror": "reflect", "wrap": "wrap"}
    rng = np.random.default_rng(4)
    for first, second in itertools.product(BOUNDARIES, BOUNDARIES):
        image, kernel = rng.integers(-99, 99, (7, 9)), rng.integers(-99, 99, (4, 5))
        got = unisono.convolve(image, kernel, "full", [first, second], device=device)
        padded = np.pad(np.pad(image, ((3, 3), (0, 0)), mode=pad[first]), ((0, 0), (4, 4)), mode=pad[second])
        np.testing.assert_array_equal(got, signal.convolve(padded, kernel, "valid", method="direct"))


def layer(image, kernel, stride, dilation, groups):
    """A layer's forward pass by NumPy: images ``(N, C, spatial..)``, kernels ``(O, C / groups, spatial..)``."""
    ndim = kernel.ndim - 2
    spread = np.zeros((*kernel.shape[:2], *((k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilation))), kernel.dtype)
    spread[(..., *(slice(None, None, d) for d in dilation))] = kernel
    windows = np.lib.stride_tricks.sliding_window_view(image, spread.shape[2:], axis=tuple(range(2, 2 + ndim)))
    windows = windows[(slice(None), slice(None), *(slice(None, None, s) for s in stride))]
    channels, kernels = kernel.shape[1], kernel.shape[0] // groups
    results = []
    for group in range(groups):
        x = windows[:, group * channels : (group + 1) * channels]
        k = spread[group * kernels : (group + 1) * kernels]
        taps = tuple(range(2 + ndim, 2 + 2 * ndim))
        result = np.tensordot(x, k, axes=((1, *taps), tuple(range(1, 2 + ndim))))
        results.append(np.moveaxis(result, -1, 1))
    return np.concatenate(results, axis=1)


def test_layers(device):
    rng = np.random.default_rng(5)
    for index in range(CASES // 3):
        ndim = int(rng.integers(1, 4))
        longest, widest = [(50, 9), (14, 5), (7, 3)][ndim - 1]
        groups, channels = int(rng.integers(1, 4)), int(rng.integers(1, 5))
        kernel_shape = rng.integers(1, widest, ndim)
        stride, dilation = rng.integers(1, 4, ndim).tolist(), rng.integers(1, 4, ndim).tolist()
        shape = np.maximum(rng.integers(1, longest, ndim), (kernel_shape - 1) * dilation + 1)
        first, second = dtypes(rng, device)
        image = draw(rng, (int(rng.integers(1, 4)), groups * channels, *shape), first)
        kernel = draw(rng, (groups * int(rng.integers(1, 7)), channels, *kernel_shape), second)
        how = options(image, kernel, device, stride=stride, dilation=dilation, groups=groups) | {"ndim": ndim}
        got = unisono.correlate(image, np.conj(kernel), "valid", **how)
        label = (index, image.shape, kernel.shape, stride, dilation, groups, first, second)
        check(got, lambda x, k: layer(x, k, stride, dilation, groups), image, kernel, label)


def test_overflow(device):
    rng = np.random.default_rng(6)
    for dtype in INTEGERS:
        info = np.iinfo(dtype)
        image = rng.integers(info.min, info.max, (9, 11), dtype, endpoint=True)
        kernel = rng.integers(info.min, info.max, (3, 2), dtype, endpoint=True)
        exact = np.zeros((11, 12), object)
        for y, x in np.ndindex(3, 2):
            exact[y : y + 9, x : x + 11] += image.astype(object) * int(kernel[y, x])
        got = unisono.convolve(image, kernel, overflow="wrap", device=device)
        span = info.max - info.min + 1
        assert got.dtype == dtype
        assert (got.astype(object) == (exact - info.min) % span + info.min).all()
        got = unisono.convolve(image, kernel, overflow="saturate", device=device)
        assert (got.astype(object) == np.clip(exact, info.min, info.max)).all()
        with pytest.raises(ValueError, match="does not fit"):
            unisono.convolve(image, kernel, device=device)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_pictures_come_out_as_they_went_in(device, dtype):
    rng = np.random.default_rng(7)
    image = rng.integers(0, np.iinfo(dtype).max, (31, 43), dtype, endpoint=True)
    kernel = rng.uniform(-1, 2, (3, 3)).astype("float32")
    got = unisono.correlate(image, kernel, "same", "reflect", out_dtype=dtype, device=device)
    exact = ndimage.correlate(image.astype(float), kernel.astype(float), mode="reflect")
    info = np.iinfo(dtype)
    # Rounded to nearest but for sums that binary32 puts on the other side of a half.
    near = np.abs(exact - np.floor(exact) - 0.5) < 2 * 9 * 2.0**-24 * 18 * info.max
    want = np.clip(np.rint(exact), info.min, info.max)
    assert got.dtype == dtype
    assert np.all((got == want) | near)
    assert np.all(np.abs(got - want) <= 1)


def test_what_is_refused():
    image, kernel = np.zeros((5, 5)), np.zeros((4, 4))
    for text, how in [
        ("origin: got 2, expected -2..=1", {"mode": "same", "origin": 2}),
        ("origins: got 3 of them", {"mode": "same", "origin": (0, 0, 0)}),
        ("stride: got -1, expected at least 1", {"stride": -1}),
        ("dilation: got 0", {"dilation": 0}),
        ("at least 3 axes for a 2-d convolution in groups", {"groups": 1}),
        ("centre: got \"middle\"", {"centre": "middle"}),
        ("overflow: got \"ignore\"", {"overflow": "ignore"}),
        ("expected error or saturate", {"overflow": "wrap", "out_dtype": "int16"}),
        ("expected a real dtype", {"out_dtype": "complex64"}),
    ]:
        with pytest.raises(ValueError, match=text.replace("(", r"\(")):
            unisono.convolve(image, kernel, device="cpu", **how)
    with pytest.raises(TypeError, match="sum: got dtype complex64, expected a real dtype"):
        unisono.sum(np.zeros(3, "complex64"), device="cpu")
