"""Numba: the loops written by hand, compiled, parallel over the outermost index."""

import math

import numba
import numpy as np
from numba import njit, prange

from rivals import Rival, estimate


@njit(parallel=True, fastmath=True)
def bank(padded, kernels, out):
    count, rows, columns = kernels.shape
    for index in prange(count * out.shape[1]):
        k, y = index // out.shape[1], index % out.shape[1]
        row = out[k, y]
        row[:] = 0
        for i in range(rows):
            for j in range(columns):
                tap = kernels[k, i, j]
                for x in range(row.size):
                    row[x] += tap * padded[y + i, x + j]
    return out


@njit(parallel=True, fastmath=True)
def total(x):
    result = x.dtype.type(0)
    for i in prange(x.size):
        result += x[i]
    return result


@njit(parallel=True, fastmath=True)
def smallest(x):
    result = x[0]
    for i in prange(x.size):
        result = min(result, x[i])
    return result


@njit(parallel=True)
def largest_at(x, threads):
    block = (x.size + threads - 1) // threads
    best = np.zeros(threads, np.int64)
    for t in prange(threads):
        at = min(t * block, x.size - 1)
        for i in range(t * block, min((t + 1) * block, x.size)):
            if x[i] > x[at]:
                at = i
        best[t] = at
    at = best[0]
    for t in range(1, threads):
        if x[best[t]] > x[at]:
            at = best[t]
    return at


@njit(parallel=True, fastmath=True)
def rows_sum(x, out):
    for i in prange(x.shape[0]):
        value = x.dtype.type(0)
        for j in range(x.shape[1]):
            value += x[i, j]
        out[i] = value
    return out


@njit(parallel=True, fastmath=True)
def columns_sum(x, out):
    block = 512
    for b in prange((x.shape[1] + block - 1) // block):
        part = out[b * block : (b + 1) * block]
        part[:] = 0
        for i in range(x.shape[0]):
            row = x[i, b * block : (b + 1) * block]
            for j in range(part.size):
                part[j] += row[j]
    return out


@njit(parallel=True, fastmath=True)
def hits(samples, seed):
    chunk, count = 1 << 16, 0
    for c in prange((samples + chunk - 1) // chunk):
        # xorshift64*: cheaper than Philox, and not addressable by sample.
        state = np.uint64(seed + c + 1) * np.uint64(0x9E3779B97F4A7C15)
        for _ in range(min(chunk, samples - c * chunk)):
            state ^= state >> np.uint64(12)
            state ^= state << np.uint64(25)
            state ^= state >> np.uint64(27)
            word = state * np.uint64(0x2545F4914F6CDD1D)
            x = np.float32(word >> np.uint64(40)) * np.float32(2.0**-24)
            y = np.float32((word >> np.uint64(8)) & np.uint64(0xFFFFFF)) * np.float32(2.0**-24)
            if x * x + y * y < 1:
                count += 1
    return count


@njit(parallel=True, fastmath=True)
def gaussian(a, out):
    for i in prange(a.size):
        out[i] = math.exp(-a[i] * a[i])
    return out


@njit(parallel=True, fastmath=True)
def sine_and_log(a, b, out):
    for i in prange(a.size):
        out[i] = math.sin(a[i]) * math.log(b[i] + np.float32(4))
    return out


@njit(parallel=True, fastmath=True)
def distance(a, b):
    result = np.float32(0)
    for i in prange(a.size):
        result += (a[i] - b[i]) * (a[i] - b[i])
    return result


@njit(parallel=True, fastmath=True)
def gaussian_integral(samples, seed):
    chunk, total, squares = 1 << 14, 0.0, 0.0
    for c in prange((samples + chunk - 1) // chunk):
        # As for the hits.
        state = np.uint64(seed + c + 1) * np.uint64(0x9E3779B97F4A7C15)
        for _ in range(min(chunk, samples - c * chunk)):
            r = np.float32(0)
            for _ in range(2):
                state ^= state >> np.uint64(12)
                state ^= state << np.uint64(25)
                state ^= state >> np.uint64(27)
                word = state * np.uint64(0x2545F4914F6CDD1D)
                x = np.float32(word >> np.uint64(40)) * np.float32(2.0**-24)
                y = np.float32((word >> np.uint64(8)) & np.uint64(0xFFFFFF)) * np.float32(2.0**-24)
                r += x * x + y * y
            f = math.exp(-r)
            total += f
            squares += f * f
    return total, squares


class Numba(Rival):
    name = "Numba"
    version = numba.__version__

    def bank(self, image, kernels):
        rows, columns = kernels.shape[1:]
        padded = np.pad(image, [(rows - 1, rows - 1), (columns - 1, columns - 1)])
        flipped = np.ascontiguousarray(kernels[:, ::-1, ::-1])
        out = np.empty((len(kernels), image.shape[0] + rows - 1, image.shape[1] + columns - 1), image.dtype)
        return lambda: bank(padded, flipped, out)

    def filter(self, image, kernel):
        rows, columns = kernel.shape
        # The same centre as SciPy's `same`.
        padded = np.pad(image, [(rows // 2, (rows - 1) // 2), (columns // 2, (columns - 1) // 2)])
        flipped, out = np.ascontiguousarray(kernel[None, ::-1, ::-1]), np.empty((1, *image.shape), image.dtype)
        return lambda: bank(padded, flipped, out)[0]

    def reduce(self, array, op, truth):
        threads = numba.get_num_threads()
        return {
            "sum": lambda: total(array),
            "mean": lambda: total(array) / array.size,
            "min": lambda: smallest(array),
            "argmax": lambda: largest_at(array, threads),
        }[op]

    def axis(self, array, axis):
        out = np.empty(array.shape[1 - axis], array.dtype)
        return lambda: (columns_sum if axis == 0 else rows_sum)(array, out)

    def pi(self, samples, seed):
        return lambda: 4 * hits(samples, seed) / samples

    def map(self, text, **arrays):
        run, out = {"exp(-a*a)": gaussian, "sin(a)*log(b + 4)": sine_and_log}[text], np.empty_like(arrays["a"])
        return lambda: run(*arrays.values(), out)

    def map_reduce(self, text, a, b):
        return lambda: distance(a, b)

    def integral(self, samples, seed, truth):
        return lambda: estimate(*gaussian_integral(samples, seed), samples)


def rivals(options):
    return [Numba()]
