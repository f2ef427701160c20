"""Numba CUDA: the shaders that a course would write by hand, data and results on the device."""

import math

import numba
import numpy as np
from numba import cuda
from numba.cuda.random import create_xoroshiro128p_states, xoroshiro128p_uniform_float32

from rivals import Rival


@cuda.jit
def bank(padded, kernels, out):
    x, y, k = cuda.grid(3)
    if k < out.shape[0] and y < out.shape[1] and x < out.shape[2]:
        value = out.dtype.type(0)
        for i in range(kernels.shape[1]):
            for j in range(kernels.shape[2]):
                value += kernels[k, i, j] * padded[y + i, x + j]
        out[k, y, x] = value


@cuda.reduce
def total(a, b):
    return a + b


@cuda.reduce
def smallest(a, b):
    return min(a, b)


@cuda.jit
def hits(states, each, count):
    thread = cuda.grid(1)
    mine = 0
    for _ in range(each):
        x = xoroshiro128p_uniform_float32(states, thread)
        y = xoroshiro128p_uniform_float32(states, thread)
        if x * x + y * y < 1:
            mine += 1
    cuda.atomic.add(count, 0, mine)


class NumbaCuda(Rival):
    name = "Numba CUDA"
    version = numba.__version__
    device = "cuda"

    def fetch(self, answer):
        return answer.copy_to_host() if hasattr(answer, "copy_to_host") else answer

    def convolve(self, padded, kernels, shape):
        x, k = cuda.to_device(padded), cuda.to_device(np.ascontiguousarray(kernels[:, ::-1, ::-1]))
        out = cuda.device_array((len(kernels), *shape), padded.dtype)
        block = (32, 8, 1)
        grid = (math.ceil(shape[1] / 32), math.ceil(shape[0] / 8), len(kernels))

        def run():
            bank[grid, block](x, k, out)
            cuda.synchronize()
            return out

        return run

    def bank(self, image, kernels):
        rows, columns = kernels.shape[1:]
        shape = image.shape[0] + rows - 1, image.shape[1] + columns - 1
        return self.convolve(np.pad(image, [(rows - 1,) * 2, (columns - 1,) * 2]), kernels, shape)

    def filter(self, image, kernel):
        rows, columns = kernel.shape
        padded = np.pad(image, [(rows // 2, (rows - 1) // 2), (columns // 2, (columns - 1) // 2)])
        run = self.convolve(padded, kernel[None], image.shape)
        return lambda: run()[0]

    def reduce(self, array, op, truth):
        x = cuda.to_device(array)
        return {
            "sum": lambda: total(x),
            "mean": lambda: total(x) / array.size,
            "min": lambda: smallest(x, init=np.inf),
        }.get(op)

    def pi(self, samples, seed):
        threads = 1 << 18
        each = math.ceil(samples / threads)
        states = create_xoroshiro128p_states(threads, seed)

        def run():
            count = cuda.to_device(np.zeros(1, np.int64))
            hits[threads // 256, 256](states, each, count)
            return 4 * int(count.copy_to_host()[0]) / (threads * each)

        return run


def rivals(options):
    if not cuda.is_available():
        raise RuntimeError("no CUDA device")
    return [NumbaCuda()]
