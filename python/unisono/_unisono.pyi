from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__version__: str

def open(device: str) -> None: ...
def info(device: str) -> dict[str, Any]: ...
def counters(device: str) -> dict[str, int]: ...
def devices() -> list[dict[str, Any]]: ...
def convolve(
    correlate: bool,
    images: ArrayLike,
    kernels: ArrayLike,
    mode: str,
    boundary: Sequence[str],
    fill_value: float,
    ndim: int,
    device: str,
    out: NDArray[Any] | None,
    out_dtype: np.dtype[Any] | None,
) -> NDArray[Any]: ...
def reduce(
    op: str,
    array: ArrayLike,
    axes: Sequence[int] | None,
    keepdims: bool,
    device: str,
    out: NDArray[Any] | None,
) -> Any: ...
def pi(samples: int, seed: int, start: int, device: str) -> tuple[int, int, float, float]: ...
def pi_from_counts(hits: int, samples: int) -> tuple[int, int, float, float]: ...
