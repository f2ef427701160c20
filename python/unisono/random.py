"""Random numbers addressed by counters, with the same bits on every device.

>>> rng = unisono.random.default_rng(42)
>>> x = rng.normal(size=(2, 3))
>>> rng = unisono.random.default_rng(42, device="cpu")
>>> bool((rng.normal(size=(2, 3)) == x).all())
True

The names are those of :class:`numpy.random.Generator`. Seeds and stream numbers are 64 bits each and never shortened; any
number of any stream is computed from its place alone, so that :attr:`Generator.position` may be set to any place at no cost,
and several processes take one stream each.
"""

import numpy as np

from . import _unisono
from ._filters import _index, _natural

__all__ = ["Generator", "default_rng"]


def _shape(size):
    if size is None:
        return None
    return [_natural("size", n) for n in (size if np.ndim(size) else [size])]


def _number(name, doc):
    """An attribute that is checked when it is set."""

    def assign(self, value):
        setattr(self, f"_{name}", _natural(name, value))

    return property(lambda self: getattr(self, f"_{name}"), assign, doc=doc)


class Generator:
    """A stream of random numbers, read from its position on.

    Parameters
    ----------
    seed : int
        Below ``2**64``. Without one it is 0: the same numbers in every run.
    stream : int
        The number of the stream, below ``2**64``. Streams of one seed are independent.
    position : int
        The block of four 32-bit words to begin with.
    bit_generator : str
        ``"philox4x32-10"``, ``"philox4x32-7"`` or ``"threefry4x32-20"``.
    device : str or Backend
        Where the numbers are drawn; it does not change them.

    Notes
    -----
    Every method takes ``size`` (an int, a tuple, or None for a scalar), ``dtype``, ``out`` (an array to fill, whose shape and
    dtype are then used) or ``resident`` (return an :class:`unisono.Array` that stays on the device), begins with a new block
    and moves :attr:`position` behind the last one that it used. Each element takes one word for float32, two for float64 and
    for integers from up to ``2**32`` values, four for integers from more.

    Examples
    --------
    >>> rng = unisono.random.Generator(7, stream=3)
    >>> first = rng.integers(1, 7, size=5)
    >>> rng.position
    3
    >>> rng.position = 0
    >>> bool((rng.integers(1, 7, size=5) == first).all())
    True
    """

    seed = _number("seed", "The seed.")
    stream = _number("stream", "The number of the stream.")
    position = _number("position", "The block of four 32-bit words that the next call begins with.")

    def __init__(self, seed=0, stream=0, position=0, bit_generator="philox4x32-10", device="auto"):
        self.seed, self.stream, self.position = seed, stream, position
        self.bit_generator = bit_generator
        self.device = device
        # Says at once what cannot be used.
        self._draw("integers", (0, 1), 0, np.uint8, None, False)

    def _draw(self, distribution, parameters, size, dtype, out, resident):
        if out is not None and size is not None and tuple(_shape(size)) != tuple(out.shape):
            raise ValueError(f"size: got {size}, expected the shape of out, {tuple(out.shape)}")
        if out is not None and resident:
            raise ValueError("resident: got True beside out, expected one of the two: out says where the numbers are")
        dtype = getattr(out, "dtype", dtype)
        stream = (self.bit_generator, self.seed, self.stream, self.position)
        result, self.position = _unisono.random(
            distribution, parameters, _shape(size), np.dtype(dtype), stream, self.device, out, bool(resident)
        )
        return result

    def random(self, size=None, dtype=np.float64, out=None, *, resident=False):
        """Real numbers ``0 <= x < 1``: exact uniform ones, rounded down to the dtype."""
        return self._draw("uniform", (0.0, 1.0), size, dtype, out, resident)

    def uniform(self, low=0.0, high=1.0, size=None, dtype=np.float64, out=None, *, resident=False):
        """Real numbers ``low <= x < high``: exact uniform ones, rounded down to the dtype.

        >>> unisono.random.default_rng(1).uniform(-1, 1, size=4, dtype=np.float32).dtype
        dtype('float32')
        """
        return self._draw("uniform", (float(low), float(high)), size, dtype, out, resident)

    def normal(self, loc=0.0, scale=1.0, size=None, dtype=np.float64, out=None, *, resident=False):
        """Normal numbers of mean ``loc`` and standard deviation ``scale``, by inversion.

        Before the one rounding to the dtype, the standard quantile is within ``2**-31`` (float32, of 32 random bits) or
        ``2**-56`` (float64, of 64) of the exact one.
        """
        return self._draw("normal", (float(loc), float(scale)), size, dtype, out, resident)

    def standard_normal(self, size=None, dtype=np.float64, out=None, *, resident=False):
        """Normal numbers of mean 0 and standard deviation 1. See :meth:`normal`."""
        return self._draw("normal", (0.0, 1.0), size, dtype, out, resident)

    def exponential(self, scale=1.0, size=None, dtype=np.float64, out=None, *, resident=False):
        """Exponential numbers of mean ``scale``, by inversion, as near as those of :meth:`normal`."""
        return self._draw("exponential", (float(scale), 0.0), size, dtype, out, resident)

    def integers(self, low, high=None, size=None, dtype=np.int64, out=None, *, resident=False):
        """Integers ``low <= i < high``, or ``0 <= i < low`` without ``high``, of any integer dtype or bool.

        Each value's probability is within ``2**-32`` of ``1 / (high - low)``, relatively (``2**-64`` for more than ``2**32``
        values, 0 for powers of two).
        """
        low, high = (0, low) if high is None else (low, high)
        return self._draw("integers", (_index("low", low), _index("high", high)), size, dtype, out, resident)

    def __repr__(self):
        return f"<unisono.random.Generator {self.bit_generator} seed={self.seed} stream={self.stream} position={self.position}>"


def default_rng(seed=0, *, stream=0, bit_generator="philox4x32-10", device="auto"):
    """A :class:`Generator` at the beginning of a stream.

    **Without a seed it is seed 0**, with the same numbers in every run, where NumPy's has other ones each time: for those give
    it ``secrets.randbits(64)``. None is no seed, and refused.

    Parameters
    ----------
    seed, stream, bit_generator, device
        As for :class:`Generator`.

    Returns
    -------
    Generator

    Examples
    --------
    >>> float(unisono.random.default_rng().random()) == float(unisono.random.default_rng(0).random())
    True
    """
    return Generator(seed, stream, 0, bit_generator, device)
