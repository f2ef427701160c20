"""PyTorch, on the CPU and on CUDA (TF32 off; data and results on the device)."""

import numpy as np
import torch
import torch.nn.functional as F

from rivals import Rival, estimate

torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
torch.backends.cudnn.benchmark = True


class PyTorch(Rival):
    version = torch.__version__

    def __init__(self, device):
        self.device = device
        self.name = f"PyTorch {device}"

    def place(self, array):
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def timed(self, work):
        if self.device == "cpu":
            return work

        def run():
            answer = work()
            torch.cuda.synchronize()
            return answer

        return run

    def fetch(self, answer):
        return answer.cpu().numpy() if isinstance(answer, torch.Tensor) else answer

    def bank(self, image, kernels):
        x, k = self.place(image)[None, None], self.place(kernels[:, ::-1, ::-1])[:, None]
        padding = tuple(n - 1 for n in kernels.shape[1:])
        with torch.inference_mode():
            return self.timed(torch.inference_mode()(lambda: F.conv2d(x, k, padding=padding)[0]))

    def filter(self, image, kernel):
        x, k = self.place(image)[None, None], self.place(kernel[::-1, ::-1])[None, None]
        return self.timed(torch.inference_mode()(lambda: F.conv2d(x, k, padding="same")[0, 0]))

    def reduce(self, array, op, truth):
        x = self.place(array)
        return self.timed(lambda: getattr(torch, op)(x))

    def axis(self, array, axis):
        x = self.place(array)
        out = torch.empty(array.shape[1 - axis], dtype=x.dtype, device=self.device)
        return self.timed(lambda: torch.sum(x, dim=axis, out=out))

    def pi(self, samples, seed):
        generator = torch.Generator(self.device).manual_seed(seed)
        chunk = 1 << (20 if self.device == "cpu" else 26)

        def work():
            hits = 0
            for start in range(0, samples, chunk):
                x, y = torch.rand((2, min(chunk, samples - start)), generator=generator, device=self.device)
                hits += torch.count_nonzero(x * x + y * y < 1)
            return 4 * int(hits) / samples

        return work

    def map(self, text, **arrays):
        placed = {name: self.place(array) for name, array in arrays.items()}
        a, b, out = placed["a"], placed.get("b"), torch.empty_like(placed["a"])
        return self.timed({
            "exp(-a*a)": lambda: torch.exp(-a * a, out=out),
            "sin(a)*log(b + 4)": lambda: torch.mul(torch.sin(a), torch.log(b + 4), out=out),
        }[text])

    def map_reduce(self, text, a, b):
        a, b = self.place(a), self.place(b)
        return self.timed(lambda: torch.sum((a - b) ** 2))

    def integral(self, samples, seed, truth):
        generator = torch.Generator(self.device).manual_seed(seed)
        chunk = 1 << (18 if self.device == "cpu" else 24)

        def work():
            total = squares = 0.0
            for _ in range(0, samples, chunk):
                x, y, z, w = torch.rand((4, chunk), generator=generator, device=self.device)
                f = torch.exp(-(x * x + y * y + z * z + w * w))
                total += f.sum(dtype=torch.float64)
                squares += torch.square(f).sum(dtype=torch.float64)
            return estimate(float(total), float(squares), samples)

        return work


def rivals(options):
    return [PyTorch("cpu")] + ([PyTorch("cuda")] if torch.cuda.is_available() else [])
