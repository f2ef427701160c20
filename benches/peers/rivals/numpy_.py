"""NumPy: taps as shifted products for integers, im2col and BLAS for floats."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from rivals import Rival


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

    def pi(self, samples, seed):
        generator, chunk = np.random.Generator(np.random.SFC64(seed)), 1 << 20

        def run():
            hits = 0
            for start in range(0, samples, chunk):
                x, y = generator.random((2, min(chunk, samples - start)), dtype=np.float32)
                hits += np.count_nonzero(x * x + y * y < 1)
            return 4 * hits / samples

        return run


def rivals(options):
    return [NumPy()]
