"""JAX, compiled by XLA, on its default device (a GPU where there is one), in full precision."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from rivals import Rival

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_default_matmul_precision", "highest")


class Jax(Rival):
    version = jax.__version__

    def __init__(self):
        self.device = jax.default_backend()
        self.name = f"JAX {self.device}"

    def fetch(self, answer):
        return np.asarray(answer)

    def timed(self, function, *arguments):
        compiled = jax.jit(function)
        return lambda: compiled(*arguments).block_until_ready()

    def convolve(self, image, kernels, padding):
        x = jax.device_put(image)[None, None]
        k = jax.device_put(np.ascontiguousarray(kernels[:, ::-1, ::-1]))[:, None]
        return self.timed(lambda x, k: lax.conv_general_dilated(x, k, (1, 1), padding)[0], x, k)

    def bank(self, image, kernels):
        if image.dtype.kind != "f" and self.device != "cpu":
            return None
        return self.convolve(image, kernels, [(n - 1, n - 1) for n in kernels.shape[1:]])

    def filter(self, image, kernel):
        run = self.convolve(image, kernel[None], "SAME")
        return lambda: run()[0]

    def reduce(self, array, op, truth):
        return self.timed(getattr(jnp, op), jax.device_put(array))

    def axis(self, array, axis):
        return self.timed(lambda x: jnp.sum(x, axis=axis), jax.device_put(array))

    def pi(self, samples, seed):
        chunk = 1 << 22
        whole, rest = divmod(samples, chunk)

        def count(key, n):
            x, y = jax.random.uniform(key, (2, n), dtype=jnp.float32)
            return jnp.count_nonzero(x * x + y * y < 1)

        def hits(key):
            body = lambda i, total: total + count(jax.random.fold_in(key, i), chunk)  # noqa: E731
            total = lax.fori_loop(0, whole, body, 0)
            return total + (count(jax.random.fold_in(key, whole), rest) if rest else 0)

        run = self.timed(hits, jax.random.key(seed))
        return lambda: 4 * int(run()) / samples


def rivals(options):
    return [Jax()]
