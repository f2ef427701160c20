"""CuPy: data and results on the device."""

import cupy
import numpy as np
from cupyx.scipy import ndimage, signal

from rivals import Rival


class CuPy(Rival):
    name = "CuPy"
    version = cupy.__version__
    device = "cuda"

    def timed(self, work):
        def run():
            answer = work()
            cupy.cuda.Device().synchronize()
            return answer

        return run

    def fetch(self, answer):
        return cupy.asnumpy(answer)

    def bank(self, image, kernels):
        x, bank = cupy.asarray(image), cupy.asarray(kernels)
        return self.timed(lambda: cupy.stack([signal.convolve2d(x, kernel) for kernel in bank]))

    def filter(self, image, kernel):
        x, k = cupy.asarray(image), cupy.asarray(kernel)
        out = cupy.empty_like(x)
        return self.timed(lambda: ndimage.convolve(x, k, output=out, mode="constant"))

    def reduce(self, array, op, truth):
        x = cupy.asarray(array)
        return self.timed(lambda: getattr(cupy, op)(x))

    def axis(self, array, axis):
        x = cupy.asarray(array)
        out = cupy.empty(array.shape[1 - axis], array.dtype)
        return self.timed(lambda: cupy.sum(x, axis=axis, out=out))

    def pi(self, samples, seed):
        generator, chunk = cupy.random.Generator(cupy.random.Philox4x3210(seed)), 1 << 26

        def work():
            hits = 0
            for start in range(0, samples, chunk):
                x, y = generator.random((2, min(chunk, samples - start)), dtype=np.float32)
                hits += cupy.count_nonzero(x * x + y * y < 1)
            return 4 * int(hits) / samples

        return work


def rivals(options):
    cupy.cuda.Device().compute_capability  # noqa: B018 (raises where there is no device)
    return [CuPy()]
