"""The work that every rival does: data, size, and what a right answer is."""

import itertools
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Workload:
    """One piece of work. ``kind`` says which method of a rival does it; ``data`` are the arguments."""

    name: str
    kind: str
    amount: float
    """How much work, in ``unit``, for the throughput."""
    unit: str
    data: dict[str, Any] = field(repr=False)

    def judge(self, answer):
        """How far an answer is from the truth, in words; ValueError if it is wrong."""
        return getattr(self, "judge_" + self.kind)(np.asarray(answer))

    def judge_bank(self, answer):
        return self.judge_taps(answer, self.data["kernels"], "full")

    def judge_filter(self, answer):
        return self.judge_taps(answer[None], self.data["kernel"][None], "same")

    def judge_taps(self, answer, kernels, mode):
        image = self.data["image"]
        shape = tuple(n + k - 1 for n, k in zip(image.shape, kernels.shape[1:])) if mode == "full" else image.shape
        expect(answer.shape == (len(kernels), *shape), f"shape {answer.shape}, expected {(len(kernels), *shape)}")
        worst = 0.0
        # All rows, or some of much work: the definition takes its time.
        height = shape[0]
        few = [range(y, min(y + 8, height)) for y in (0, height // 2, height - 8)]
        bands = [range(height)] if kernels[0].size * image.size <= 1.2e8 else few
        for index, rows in itertools.product({0, len(kernels) // 2, len(kernels) - 1}, bands):
            exact = definition(image, kernels[index], mode, rows)
            got = answer[index][rows.start : rows.stop]
            if image.dtype.kind in "iu":
                expect(np.array_equal(got, exact), "not the exact integers")
                continue
            scale = definition(np.abs(image), np.abs(kernels[index]), mode, rows)
            bound = kernels[index].size * np.finfo(image.dtype).eps / 2 * scale + np.finfo(image.dtype).tiny
            worst = max(worst, float(np.max(np.abs(got - exact) / bound)))
        # FFTs err by the largest value, not the local one, so they may exceed the bound of a direct sum.
        expect(worst < 1e3, f"error {worst:.3g} times the bound")
        return "exact" if image.dtype.kind in "iu" else f"{worst:.2g} of bound"

    def judge_blur(self, answer):
        image, sigma = self.data["image"], self.data["sigma"]
        expect(answer.shape == image.shape, f"shape {answer.shape}, expected {image.shape}")
        radius = int(4 * sigma)
        weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
        weights /= weights.sum()
        worst = 0.0
        for y in (0, image.shape[0] // 2, image.shape[0] - 1):
            rows = np.pad(image, ((radius, radius), (0, 0), (0, 0)), "symmetric")[y : y + 2 * radius + 1]
            row = np.pad(np.tensordot(weights, rows, 1), ((radius, radius), (0, 0)), "symmetric")
            exact = sum(w * row[t : t + image.shape[1]] for t, w in enumerate(weights))
            worst = max(worst, float(np.abs(answer[y] - exact).max()))
        expect(worst < 3, f"off by {worst:.3g}")
        return f"off by {worst:.3f}"

    def judge_reduce(self, answer):
        x, op = self.data["array"], self.data["op"]
        if op in ("argmin", "argmax"):
            first = getattr(np, op)(x)
            expect(x[int(answer)] == x[first], f"{answer}, NumPy has {first}")
            return "exact" if answer == first else "a later tie"
        if op in ("min", "max"):
            expect(answer == getattr(np, op)(x), f"{answer}, NumPy has {getattr(np, op)(x)}")
            return "exact"
        truth = self.data["truth"] / (x.size if op == "mean" else 1)
        ulp = float(np.spacing(np.abs(x.dtype.type(truth))))
        error = abs(float(answer) - truth) / ulp
        expect(abs(float(answer) - truth) <= 1e-3 * abs(truth), f"{answer}, the truth is {truth}")
        return "exact" if error <= 0.5 else f"off by {error:.3g} ulp"

    def judge_axis(self, answer):
        x, axis = self.data["array"], self.data["axis"]
        truth = x.sum(axis=axis, dtype=np.float64)
        expect(answer.shape == truth.shape, f"shape {answer.shape}, expected {truth.shape}")
        ulps = np.abs(answer - truth) / np.spacing(np.abs(truth).astype(np.float32))
        expect(np.allclose(answer, truth, rtol=1e-3, atol=1e-2), "not the sums")
        return "exact" if ulps.max() <= 0.5001 else f"off by {ulps.max():.3g} ulp"

    def judge_few(self, answer):
        x, op, axis = (self.data[name] for name in ("array", "op", "axis"))
        truth = getattr(np, op)(x.astype(np.longdouble), axis=axis)
        expect(answer.shape == truth.shape, f"shape {answer.shape}, expected {truth.shape}")
        ulps = np.abs(answer - truth) / np.spacing(np.abs(truth).astype(x.dtype))
        expect(np.allclose(answer, truth.astype(float), rtol=1e-3, atol=1e-6), f"not the {op}")
        return "exact" if ulps.max() <= 0.501 else f"off by {float(ulps.max()):.3g} ulp"

    def judge_signal(self, answer):
        x, k = self.data["image"], self.data["kernel"]
        expect(answer.shape == (x.size + k.size - 1,), f"shape {answer.shape}, expected {(x.size + k.size - 1,)}")
        places = (0, k.size // 2, x.size // 2, x.size + k.size - 2)
        exact = [definition_at(x, k, at) for at in places]
        worst = float(np.max(np.abs(answer[list(places)] - exact)) / np.abs(answer).max())
        expect(worst < 1e-4, f"off by {worst:.3g} of the largest")
        return f"off by {worst:.2g} of the largest"

    def judge_map(self, answer):
        expect(answer.shape == self.data["a"].shape, f"shape {answer.shape}, expected {self.data['a'].shape}")
        return self.judge_value(answer[:: 1 + answer.size // 100_000], slice(None, None, 1 + answer.size // 100_000))

    def judge_map_reduce(self, answer):
        truth = float(evaluate(self.data["text"], self.data).sum())
        error = abs(float(answer) - truth) / float(np.spacing(np.float32(truth)))
        expect(error <= 1e5, f"{answer}, the truth is {truth}")
        return "exact" if error <= 0.5 else f"off by {error:.3g} ulp"

    def judge_value(self, answer, part):
        truth = evaluate(self.data["text"], {name: self.data[name][part] for name in "ab" if name in self.data})
        worst = float(np.max(np.abs(answer - truth) / np.spacing(np.abs(truth).astype(np.float32))))
        # Next to a zero of a factor, a function of another library may be right to fewer digits.
        expect(np.allclose(answer, truth, rtol=1e-4, atol=1e-6), f"off by {worst:.3g} ulp")
        return f"off by {worst:.2g} ulp"

    def judge_integral(self, answer):
        estimate, error = (float(value) for value in answer)
        off = abs(estimate - self.data["truth"]) / error
        expect(off < 6, f"{estimate} is {off:.1f} standard errors from {self.data['truth']}")
        return f"{off:.2f} sigma"

    def judge_pi(self, answer):
        sigma = 4 * math.sqrt(math.pi / 4 * (1 - math.pi / 4) / self.data["samples"])
        off = abs(float(answer) - math.pi) / sigma
        expect(off < 6, f"{answer} is {off:.1f} standard errors from pi")
        return f"{off:.2f} sigma"


def evaluate(text, arrays):
    """An expression in float64."""
    names = {name: arrays[name].astype(np.float64) for name in "ab" if name in arrays}
    return eval(text, {"exp": np.exp, "sin": np.sin, "log": np.log}, names)


def expect(condition, text):
    if not condition:
        raise ValueError(f"wrong answer: {text}")


def definition(image, kernel, mode, rows):
    """Some rows of the convolution by its definition, one tap at a time, in int64 or float64."""
    kind = np.int64 if image.dtype.kind in "iu" else np.float64
    corner = [(k - 1) // 2 if mode == "same" else 0 for k in kernel.shape]
    first, height = rows.start + corner[0], image.shape[0]
    result, wide = np.zeros((len(rows), image.shape[1] + kernel.shape[1] - 1), kind), image.astype(kind)
    for (i, j), tap in np.ndenumerate(kernel.astype(kind)):
        # Row r of the result takes row first + r - i of the image.
        low, high = max(i - first, 0), min(height + i - first, len(rows))
        if low < high:
            result[low:high, j : j + image.shape[1]] += tap * wide[low + first - i : high + first - i]
    return result if mode == "full" else result[:, corner[1] : corner[1] + image.shape[1]]


def definition_at(x, k, at):
    """One element of a convolution of signals by its definition."""
    first, last = max(0, at - k.size + 1), min(at, x.size - 1)
    return np.dot(x[first : last + 1].astype(complex), k[at - last : at - first + 1][::-1].astype(complex))


def workloads(quick):
    """All workloads, made one after the other so that one set of data is in memory at a time."""
    rng = np.random.default_rng(20)
    size, count = (400, 20) if quick else (1000, 100)
    macs = count * (size + 9) ** 2 * 100
    for dtype in ("int64", "float32", "float64"):
        if dtype == "int64":
            image, kernels = rng.integers(0, 100, (size, size)), rng.integers(0, 100, (count, 10, 10))
        else:
            image, kernels = rng.random((size, size)).astype(dtype), rng.random((count, 10, 10)).astype(dtype)
        name = f"{count} kernels 10x10 over {size}x{size}, {dtype}"
        yield Workload(name, "bank", macs, "MAC/s", {"image": image, "kernels": kernels})

    side = 1024 if quick else 2048
    image = rng.random((side, side)).astype(np.float32)
    for k in (3, 15, 31) if quick else (3, 5, 7, 15, 31, 101):
        kernel = rng.random((k, k)).astype(np.float32)
        yield Workload(f"{k}x{k} filter of {side}x{side}, float32", "filter", side**2, "pixel/s", {"image": image, "kernel": kernel})

    rows, columns = (750, 1000) if quick else (3000, 4000)
    image = rng.integers(0, 256, (rows, columns, 3), np.uint8)
    for sigma in (1, 3, 10):
        name = f"gaussian blur of {columns}x{rows} RGB uint8, sigma {sigma}"
        yield Workload(name, "blur", rows * columns, "pixel/s", {"image": image, "sigma": sigma})
    del image

    count = 2**23 if quick else 2**27
    array = np.arange(count, dtype=np.float64)
    data = {"array": array, "op": "sum", "truth": count * (count - 1) // 2}
    yield Workload(f"sum of {count >> 20} Mi float64 0, 1, 2, ...", "reduce", array.nbytes, "B/s", data)
    del array, data
    for dtype in ("float64", "float32"):
        array = rng.random(count, dtype=dtype)
        truth = math.fsum(math.fsum(part) for part in np.array_split(array, 4096))
        for op in ("sum", "mean", "min", "argmax"):
            data = {"array": array, "op": op, "truth": truth}
            yield Workload(f"{op} of {count >> 20} Mi {dtype}, uniform", "reduce", array.nbytes, "B/s", data)
        del array, data

    rows, columns = (2048, 1024) if quick else (16384, 8192)
    array = rng.random((rows, columns), dtype=np.float32)
    for axis in (0, 1):
        name = f"sum of {rows}x{columns} float32 over axis {axis}"
        yield Workload(name, "axis", array.nbytes, "B/s", {"array": array, "axis": axis})
    del array

    count = 10**5 if quick else 10**6
    for shape, axis in (((count // 3, 3), 1), ((count // 16, 16), 1), ((count, 1), 1), ((3, count // 3), 0)):
        array = rng.random(shape)
        for op in ("sum", "var", "min"):
            name = f"{op} of {'x'.join(map(str, shape))} float64 over axis {axis}"
            yield Workload(name, "few", array.nbytes, "B/s", {"array": array, "op": op, "axis": axis})
    x, k = ((rng.random(n) + 1j * rng.random(n)).astype(np.complex64) for n in (count, 1001 if quick else 20_001))
    yield Workload(f"convolution of {x.size} by {k.size} complex64", "signal", x.size, "element/s", {"image": x, "kernel": k})
    del array, x, k

    samples = 10**7 if quick else 10**9
    yield Workload(f"pi from {samples:.0e} samples", "pi", samples, "sample/s", {"samples": samples, "seed": 42})

    count = 2**20 if quick else 2**24
    a, b = (rng.uniform(-1.5, 1.5, count).astype(np.float32) for _ in range(2))
    for text in ("exp(-a*a)", "sin(a)*log(b + 4)"):
        data = {"text": text, "a": a} | ({"b": b} if "b" in text else {})
        yield Workload(f"{text} of {count >> 20} Mi float32", "map", count, "element/s", data)
    data = {"text": "(a - b)**2", "a": a, "b": b}
    yield Workload(f"sum of (a - b)**2, {count >> 20} Mi float32", "map_reduce", count, "element/s", data)
    del a, b, data

    samples = 2**20 if quick else 2**26
    truth = (math.sqrt(math.pi) / 2 * math.erf(1)) ** 4
    data = {"samples": samples, "seed": 42, "truth": truth}
    yield Workload(f"4-d Gaussian from {samples >> 20} Mi samples", "integral", samples, "sample/s", data)
