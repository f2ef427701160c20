import os
from collections.abc import Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._backend import Backend
from ._functions import Pi

_DeviceLike: TypeAlias = str | Backend

__all__ = [
    "Array",
    "ExactSum",
    "MonteCarloState",
    "__version__",
    "convolve",
    "convolve_without_nan",
    "counters",
    "devices",
    "explain_convolve",
    "info",
    "open",
    "pi",
    "pi_from_counts",
    "pi_interval",
    "random",
    "reduce",
    "separable",
    "upload",
]

__version__: str

@final
class Array:
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def on_device(self) -> bool: ...
    def numpy(self) -> NDArray[Any]: ...
    def item(self) -> Any: ...
    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]: ...

@final
class ExactSum:
    def __new__(cls) -> ExactSum: ...
    def add(self, a: ArrayLike | Array, device: _DeviceLike | None = None) -> None: ...
    def merge(self, other: ExactSum) -> None: ...
    def value(self, dtype: DTypeLike | None = None) -> np.floating[Any]: ...
    def mean(self, count: int, dtype: DTypeLike | None = None) -> np.floating[Any]: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> ExactSum: ...
    def __float__(self) -> float: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, tuple[bytes]]: ...

def open(device: _DeviceLike) -> str: ...
def info(device: _DeviceLike) -> dict[str, Any]: ...
def counters(device: _DeviceLike) -> dict[str, int]: ...
def devices() -> list[dict[str, Any]]: ...
def convolve(
    correlate: bool,
    images: ArrayLike | Array,
    kernels: ArrayLike | Array,
    mode: str,
    boundary: Sequence[str],
    fill_value: complex,
    ndim: int,
    algorithm: str,
    accuracy: str,
    options: tuple[str, Sequence[int] | None, Sequence[int] | None, Sequence[int] | None, int | None, str],
    device: _DeviceLike,
    out: NDArray[Any] | Array | None,
    out_dtype: np.dtype[Any] | None,
) -> Any: ...
def explain_convolve(
    images: ArrayLike | Array,
    kernels: ArrayLike | Array,
    mode: str,
    ndim: int,
    algorithm: str,
    device: _DeviceLike,
) -> str: ...
def reduce(
    op: str,
    array: ArrayLike | Array,
    axes: Sequence[int] | None,
    keepdims: bool,
    device: _DeviceLike,
    out: NDArray[Any] | Array | None,
) -> Any: ...
@final
class MonteCarloState:
    def __new__(cls, seed: int = 0) -> MonteCarloState: ...
    @property
    def seed(self) -> int: ...
    @property
    def samples(self) -> int: ...
    @property
    def ranges(self) -> list[tuple[int, int]]: ...
    def missing(self, end: int, start: int = 0) -> list[tuple[int, int]]: ...
    def counts(self) -> tuple[int, int, float, float]: ...
    def estimate(self) -> Pi: ...
    def extend(
        self,
        end: int | None = None,
        start: int = 0,
        device: _DeviceLike | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        interval: float = 10.0,
        standard_error: float | None = None,
    ) -> None: ...
    def merge(self, other: MonteCarloState) -> None: ...
    def save(self, file: str | os.PathLike[str]) -> None: ...
    @staticmethod
    def load(file: str | os.PathLike[str]) -> MonteCarloState: ...
    def to_bytes(self) -> bytes: ...
    @staticmethod
    def from_bytes(data: bytes) -> MonteCarloState: ...
    def __eq__(self, value: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, tuple[bytes]]: ...

def pi(samples: int, seed: int, start: int, device: _DeviceLike) -> tuple[int, int, float, float]: ...
def pi_interval(hits: int, samples: int, level: float) -> list[float]: ...
def pi_from_counts(hits: int, samples: int) -> tuple[int, int, float, float]: ...
def random(
    distribution: str,
    parameters: tuple[int, int] | tuple[float, float],
    size: Sequence[int] | None,
    dtype: np.dtype[Any],
    stream: tuple[str, int, int, int],
    device: _DeviceLike,
    out: Any,
    resident: bool,
) -> tuple[Any, int]: ...
def upload(a: ArrayLike, device: _DeviceLike) -> Array: ...
def separable(
    array: ArrayLike | Array,
    terms: Sequence[Sequence[tuple[int, Sequence[float], int, str, float]]],
    magnitude: bool,
    ignore_nan: bool,
    device: _DeviceLike,
    out: NDArray[Any] | Array | None,
    out_dtype: np.dtype[Any] | None,
) -> Any: ...
def convolve_without_nan(
    correlate: bool,
    images: ArrayLike | Array,
    kernels: ArrayLike | Array,
    mode: str,
    boundary: Sequence[str],
    fill_value: complex,
    ndim: int,
    algorithm: str,
    accuracy: str,
    options: tuple[str, Sequence[int] | None, Sequence[int] | None, Sequence[int] | None, int | None, str],
    device: _DeviceLike,
) -> Any: ...
