from collections.abc import Sequence
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._backend import Backend

_DeviceLike: TypeAlias = str | Backend

__all__ = [
    "ExactSum",
    "__version__",
    "convolve",
    "counters",
    "devices",
    "info",
    "open",
    "pi",
    "pi_from_counts",
    "reduce",
]

__version__: str

@final
class ExactSum:
    def __new__(cls) -> ExactSum: ...
    def add(self, a: ArrayLike, device: _DeviceLike | None = None) -> None: ...
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
    images: ArrayLike,
    kernels: ArrayLike,
    mode: str,
    boundary: Sequence[str],
    fill_value: float,
    ndim: int,
    device: _DeviceLike,
    out: NDArray[Any] | None,
    out_dtype: np.dtype[Any] | None,
) -> NDArray[Any]: ...
def reduce(
    op: str,
    array: ArrayLike,
    axes: Sequence[int] | None,
    keepdims: bool,
    device: _DeviceLike,
    out: NDArray[Any] | None,
) -> Any: ...
def pi(samples: int, seed: int, start: int, device: _DeviceLike) -> tuple[int, int, float, float]: ...
def pi_from_counts(hits: int, samples: int) -> tuple[int, int, float, float]: ...
