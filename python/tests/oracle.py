"""What the right answers are, in exact arithmetic and by definition."""

import math
from fractions import Fraction

import numpy as np

PAD = {"constant": "constant", "reflect": "symmetric", "nearest": "edge", "mirror": "reflect", "wrap": "wrap"}


def rounded(value, dtype):
    """A Fraction rounded once, to nearest even, to a float dtype; infinite beyond its range."""
    dtype = np.dtype(dtype).type
    info = np.finfo(dtype)
    # The halfway point between the largest number and the next power of two rounds to infinity.
    if abs(value) >= Fraction(float(info.max)) + Fraction(2) ** (info.maxexp - info.nmant - 2):
        return dtype(math.copysign(math.inf, value))
    with np.errstate(all="ignore"):
        guess = dtype(max(min(float(value), float(info.max)), float(info.min)))
        around = [np.nextafter(guess, dtype(-np.inf)), guess, np.nextafter(guess, dtype(np.inf))]
    finite = [one for one in around if np.isfinite(one)]
    bits = "u" + str(np.dtype(dtype).itemsize)
    return min(finite, key=lambda one: (abs(Fraction(float(one)) - value), int(one.view(bits)) & 1))


def exact_sum(values):
    """The sum of finite numbers as a Fraction."""
    return sum((Fraction(float(value)) for value in np.ravel(values)), Fraction(0))


def extended(image, kernel_shape, boundary, fill):
    """The image with everything that a kernel of this shape reads around it."""
    pad = [(n - 1, n - 1) for n in kernel_shape]
    if boundary == "constant":
        return np.pad(image, pad, mode="constant", constant_values=fill)
    return np.pad(image, pad, mode=PAD[boundary])


def convolved(image, kernel, mode, boundary="constant", fill=0):
    """The convolution by its definition, one tap at a time, in the dtype of the operands."""
    shape = tuple(n + k - 1 for n, k in zip(image.shape, kernel.shape))
    if mode == "valid":
        # Needs no boundary: a kernel larger than the image slides as the image would slide over it.
        boundary, fill = "constant", 0
    padded = extended(image, kernel.shape, boundary, fill)
    result = np.zeros(shape, dtype=np.result_type(image, kernel))
    for tap in np.ndindex(kernel.shape):
        window = tuple(slice(k - 1 - t, k - 1 - t + n) for t, k, n in zip(tap, kernel.shape, shape))
        result += kernel[tap] * padded[window]
    if mode == "full":
        return result
    keep = []
    for n, k in zip(image.shape, kernel.shape):
        start, length = ((k - 1) // 2, n) if mode == "same" else (min(n, k) - 1, max(n, k) - min(n, k) + 1)
        keep.append(slice(start, start + length))
    return result[tuple(keep)]


def bits(value):
    """A float's bytes, with one NaN for all."""
    value = np.asarray(value)
    return np.where(np.isnan(value), np.array(np.nan, value.dtype), value).tobytes()
