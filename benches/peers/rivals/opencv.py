"""OpenCV: ``filter2D`` with its own threads, and called from as many threads of ours as there are cores."""

import os
from multiprocessing.pool import ThreadPool

import cv2
import numpy as np

from rivals import Rival


class OpenCV(Rival):
    name = "OpenCV"
    version = cv2.__version__

    def bank(self, image, kernels):
        if image.dtype.kind != "f":
            return None
        (rows, columns), depth = kernels.shape[1:], cv2.CV_32F if image.dtype == np.float32 else cv2.CV_64F
        # filter2D keeps the size of its input: the full result is that of the padded image.
        padded = cv2.copyMakeBorder(image, 0, rows - 1, 0, columns - 1, cv2.BORDER_CONSTANT)
        flipped = np.ascontiguousarray(kernels[:, ::-1, ::-1])
        out = np.empty((len(kernels), *padded.shape), image.dtype)

        def run():
            for kernel, result in zip(flipped, out):
                anchor = (columns - 1, rows - 1)
                cv2.filter2D(padded, depth, kernel, dst=result, anchor=anchor, borderType=cv2.BORDER_CONSTANT)
            return out

        return run

    def filter(self, image, kernel):
        flipped, out = np.ascontiguousarray(kernel[::-1, ::-1]), np.empty_like(image)
        return lambda: cv2.filter2D(image, cv2.CV_32F, flipped, dst=out, borderType=cv2.BORDER_CONSTANT)

    def blur(self, image, sigma):
        side, out = 2 * int(4 * sigma) + 1, np.empty_like(image)
        return lambda: cv2.GaussianBlur(image, (side, side), sigma, dst=out, borderType=cv2.BORDER_REFLECT)

    def axis(self, array, axis):
        return lambda: cv2.reduce(array, axis, cv2.REDUCE_SUM).ravel()

    def reduce(self, array, op, truth):
        if op == "sum":
            rows = array.reshape(1 << 12, -1)
            return lambda: cv2.sumElems(rows)[0]
        if op == "mean":
            rows = array.reshape(1 << 12, -1)
            return lambda: cv2.mean(rows)[0]
        rows = array.reshape(1 << 12, -1)
        if op == "min":
            return lambda: cv2.minMaxLoc(rows)[0]

        def argmax():
            column, row = cv2.minMaxLoc(rows)[3]
            return row * rows.shape[1] + column

        return argmax


class OpenCVThreads(Rival):
    """Kernels shared out by hand: one thread of OpenCV's in each of ours."""

    version = cv2.__version__

    def __init__(self):
        self.workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        self.name = f"OpenCV ThreadPool({self.workers})"
        self.pool = ThreadPool(self.workers)

    def bank(self, image, kernels):
        if image.dtype.kind != "f":
            return None
        (rows, columns), depth = kernels.shape[1:], cv2.CV_32F if image.dtype == np.float32 else cv2.CV_64F
        padded = cv2.copyMakeBorder(image, 0, rows - 1, 0, columns - 1, cv2.BORDER_CONSTANT)
        flipped = np.ascontiguousarray(kernels[:, ::-1, ::-1])
        out = np.empty((len(kernels), *padded.shape), image.dtype)

        def one(k):
            anchor = (columns - 1, rows - 1)
            cv2.filter2D(padded, depth, flipped[k], dst=out[k], anchor=anchor, borderType=cv2.BORDER_CONSTANT)

        def run():
            threads = cv2.getNumThreads()
            cv2.setNumThreads(1)
            self.pool.map(one, range(len(kernels)), chunksize=1)
            cv2.setNumThreads(threads)
            return out

        return run

    def close(self):
        self.pool.terminate()
        self.pool.join()


def rivals(options):
    return [OpenCV(), OpenCVThreads()]
