"""unisono on each of the chosen devices. On a GPU data lies on the device and results stay there."""

import numpy as np

import unisono
from rivals import Rival


class Unisono(Rival):
    version = unisono.__version__

    def __init__(self, device):
        self.backend = unisono.Backend(device)
        self.name = f"unisono {device}"
        self.device = device
        self.host = device.startswith(("cpu", "auto"))

    def place(self, array):
        return array if self.host else self.backend.upload(array)

    def fetch(self, answer):
        return answer if self.host or not isinstance(answer, unisono.Array) else answer.numpy()

    def bank(self, image, kernels):
        return self.convolve(image, kernels, "full")

    def filter(self, image, kernel):
        return self.convolve(image, kernel, "same")

    def convolve(self, image, kernels, mode):
        x, k = self.place(image), self.place(kernels)
        out = self.backend.convolve(x, k, mode)
        return lambda: self.backend.convolve(x, k, mode, out=out)

    def blur(self, image, sigma):
        x = self.place(image)
        out = unisono.gaussian_filter(x, sigma, axes=(0, 1), device=self.backend)
        return lambda: unisono.gaussian_filter(x, sigma, axes=(0, 1), output=out, device=self.backend)

    def reduce(self, array, op, truth):
        x, run = self.place(array), getattr(self.backend, op)
        return lambda: run(x) if self.host else np.asarray(run(x))

    def axis(self, array, axis):
        x = self.place(array)
        out = self.backend.sum(x, axis=axis)
        return lambda: self.backend.sum(x, axis=axis, out=out)

    def few(self, array, op, axis):
        x, run = self.place(array), getattr(self.backend, op)
        return lambda: np.asarray(run(x, axis=axis))

    def signal(self, image, kernel):
        x, k = self.place(image), self.place(kernel)
        return lambda: np.asarray(self.backend.convolve(x, k, ndim=1))

    def pi(self, samples, seed):
        return lambda: self.backend.pi(samples, seed).estimate

    def map(self, text, **arrays):
        placed = {name: self.place(array) for name, array in arrays.items()}
        out = self.backend.map(text, **placed)
        return lambda: self.backend.map(text, **placed, out=out)

    def map_reduce(self, text, **arrays):
        placed = {name: self.place(array) for name, array in arrays.items()}
        return lambda: np.asarray(self.backend.map_reduce(text, "sum", **placed))

    def integral(self, samples, seed, truth):
        bounds = dict.fromkeys("xyzw", (0, 1))

        def run():
            integral = self.backend.integrate("exp(-(x*x + y*y + z*z + w*w))", bounds, samples=samples, seed=seed)
            return integral.estimate, integral.standard_error

        return run


def rivals(options):
    return [Unisono(device) for device in options.devices]
