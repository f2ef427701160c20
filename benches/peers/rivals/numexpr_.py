"""numexpr: expressions on all threads."""

import numexpr
import numpy as np

from rivals import Rival, estimate


class NumExpr(Rival):
    name = "numexpr"
    version = numexpr.__version__ + (" with VML" if numexpr.use_vml else "")

    def map(self, text, **arrays):
        out = np.empty_like(arrays["a"])
        return lambda: numexpr.evaluate(text, arrays, out=out)

    def map_reduce(self, text, **arrays):
        return lambda: numexpr.evaluate(f"sum({text})", arrays)

    def integral(self, samples, seed, truth):
        generator, chunk = np.random.Generator(np.random.SFC64(seed)), 1 << 18

        def run():
            total = squares = 0.0
            for _ in range(0, samples, chunk):
                point = dict(zip("xyzw", generator.random((4, chunk), dtype=np.float32)))
                f = numexpr.evaluate("exp(-(x*x + y*y + z*z + w*w))", point)
                total += f.sum(dtype=np.float64)
                squares += np.square(f).sum(dtype=np.float64)
            return estimate(total, squares, samples)

        return run


def rivals(options):
    return [NumExpr()]
