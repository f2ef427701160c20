"""One file per rival. Each has ``rivals(options)``, which yields the rivals that this machine can run.

A rival has a method per kind of workload, which takes the workload's data, does everything that is not to be timed
(moving data to a device, allocating outputs where the rival can reuse them, compiling), and returns a function without
arguments that does the work, waits for its end and returns the answer; ``fetch`` brings an answer to the host.
"""

import importlib

NAMES = ["unisono_", "numpy_", "scipy_", "opencv", "torch_", "numba_", "numexpr_", "cupy_", "jax_", "numba_cuda"]


def estimate(total, squares, samples):
    """A mean and its standard error."""
    mean = total / samples
    return mean, max(squares / samples - mean * mean, 0.0) ** 0.5 / samples**0.5


class Rival:
    """A library on a device. A kind of workload without a method is not done by it."""

    name = ""
    version = ""
    device = "cpu"
    slow = False
    """Whether ``--quick`` and large sizes should run it once only."""

    def fetch(self, answer):
        return answer

    def close(self):
        """Frees what the rival holds."""


def available(options):
    """The rivals of this machine, and why others are missing."""
    found, missing = [], {}
    for name in NAMES:
        short = name.rstrip("_")
        if options.only and short not in options.only and short != "unisono":
            continue
        try:
            found += importlib.import_module(f"rivals.{name}").rivals(options)
        except Exception as error:  # an installed but broken rival must not stop the others
            missing[short] = f"{type(error).__name__}: {error}".splitlines()[0]
    return found, missing
