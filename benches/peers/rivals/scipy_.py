"""SciPy: serial, and with the pool of processes that courses teach."""

import multiprocessing
import os

import numpy as np
import scipy
from scipy import fft, ndimage, signal

from rivals import Rival


class SciPy(Rival):
    name = "SciPy"
    version = scipy.__version__
    slow = True

    def bank(self, image, kernels):
        return lambda: np.stack([signal.convolve2d(image, kernel) for kernel in kernels])

    def filter(self, image, kernel):
        if kernel.size > 1000:
            return None  # minutes
        out = np.empty_like(image)
        return lambda: ndimage.convolve(image, kernel, output=out, mode="constant")

    def blur(self, image, sigma):
        out = np.empty_like(image)
        return lambda: ndimage.gaussian_filter(image, sigma, output=out, axes=(0, 1))


class SciPyFft(Rival):
    name = "SciPy FFT"
    version = scipy.__version__

    def signal(self, image, kernel):
        return lambda: signal.oaconvolve(image, kernel)

    def bank(self, image, kernels):
        if image.dtype.kind != "f":
            return None
        return lambda: signal.oaconvolve(image[None], kernels, axes=(1, 2))

    def filter(self, image, kernel):
        return lambda: signal.oaconvolve(image, kernel, mode="same")


class SciPyFftThreads(Rival):
    """One transform of the whole image, with SciPy's threads."""

    version = scipy.__version__

    def __init__(self):
        self.workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        self.name = f"SciPy fftconvolve({self.workers})"

    def filter(self, image, kernel):
        def run():
            with fft.set_workers(self.workers):
                return signal.fftconvolve(image, kernel, mode="same")

        return run


class SciPyPool(Rival):
    version = scipy.__version__
    slow = True

    def __init__(self):
        workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        self.name = f"SciPy Pool({workers})"
        self.pool = multiprocessing.get_context("spawn").Pool(workers)
        self.pool.map(abs, range(workers))

    def bank(self, image, kernels):
        return lambda: np.stack(self.pool.starmap(signal.convolve2d, [(image, kernel) for kernel in kernels]))

    def close(self):
        self.pool.terminate()
        self.pool.join()


def rivals(options):
    return [SciPy(), SciPyFft(), SciPyFftThreads(), SciPyPool()]
