"""NumPy: taps as shifted products for integers, im2col and BLAS for floats."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rivals import Rival, estimate


class NumPy(Rival):
    name = "NumPy"
    version = np.__version__

    def bank(self, image, kernels):
        height, width = (n + k - 1 for n, k in zip(image.shape, kernels.shape[1:]))
        flipped = kernels[:, ::-1, ::-1]
        padded = np.pad(image, [(k - 1, k - 1) for k in kernels.shape[1:]])
        if image.dtype.kind == "f":
            matrix = flipped.reshape(len(kernels), -1)

            def blas():
                columns = sliding_window_view(padded, kernels.shape[1:]).transpose(2, 3, 0, 1).reshape(matrix.shape[1], -1)
                return (matrix @ columns).reshape(len(kernels), height, width)

            return blas
        out = np.empty((len(kernels), height, width), image.dtype)

        def taps():
            out[...] = 0
            for kernel, result in zip(flipped, out):
                for (i, j), tap in np.ndenumerate(kernel):
                    result += tap * padded[i : i + height, j : j + width]
            return out

        return taps

    def reduce(self, array, op, truth):
        return lambda: getattr(np, op)(array)

    def axis(self, array, axis):
        out = np.empty(array.shape[1 - axis], array.dtype)
        return lambda: np.sum(array, axis=axis, out=out)

    def few(self, array, op, axis):
        return lambda: getattr(np, op)(array, axis=axis)

    def pi(self, samples, seed):
        generator, chunk = np.random.Generator(np.random.SFC64(seed)), 1 << 20

        def run():
            hits = 0
            for start in range(0, samples, chunk):
                x, y = generator.random((2, min(chunk, samples - start)), dtype=np.float32)
                hits += np.count_nonzero(x * x + y * y < 1)
            return 4 * hits / samples

        return run

    def map(self, text, **arrays):
        a, b, out = arrays["a"], arrays.get("b"), np.empty_like(arrays["a"])
        return {
            "exp(-a*a)": lambda: np.exp(-a * a, out=out),
            "sin(a)*log(b + 4)": lambda: np.multiply(np.sin(a), np.log(b + 4), out=out),
        }[text]

    def map_reduce(self, text, a, b):
        return lambda: np.sum((a - b) ** 2)

    def integral(self, samples, seed, truth):
        generator, chunk = np.random.Generator(np.random.SFC64(seed)), 1 << 16

        def run():
            total = squares = 0.0
            for _ in range(0, samples, chunk):
                x, y, z, w = generator.random((4, chunk), dtype=np.float32)
                f = np.exp(-(x * x + y * y + z * z + w * w))
                total += f.sum(dtype=np.float64)
                squares += np.square(f).sum(dtype=np.float64)
            return estimate(total, squares, samples)

        return run


def rivals(options):
    return [NumPy()]
