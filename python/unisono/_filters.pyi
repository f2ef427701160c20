from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._backend import Backend
from ._unisono import Array

_DeviceLike: TypeAlias = str | Backend
_Output: TypeAlias = NDArray[Any] | Array | DTypeLike | None

def gaussian_filter1d(
    input: ArrayLike | Array,
    sigma: float,
    axis: int = -1,
    order: int = 0,
    output: _Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | None = None,
    nan: Literal["propagate", "ignore"] = "propagate",
    device: _DeviceLike = "auto",
) -> Any: ...
def gaussian_filter(
    input: ArrayLike | Array,
    sigma: float | Sequence[float],
    order: int | Sequence[int] = 0,
    output: _Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    radius: int | Sequence[int] | None = None,
    axes: int | Sequence[int] | None = None,
    nan: Literal["propagate", "ignore"] = "propagate",
    device: _DeviceLike = "auto",
) -> Any: ...
def uniform_filter1d(
    input: ArrayLike | Array,
    size: int,
    axis: int = -1,
    output: _Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
    *,
    nan: Literal["propagate", "ignore"] = "propagate",
    device: _DeviceLike = "auto",
) -> Any: ...
def uniform_filter(
    input: ArrayLike | Array,
    size: int | Sequence[int] = 3,
    output: _Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
    nan: Literal["propagate", "ignore"] = "propagate",
    device: _DeviceLike = "auto",
) -> Any: ...
def correlate1d(
    input: ArrayLike | Array,
    weights: ArrayLike,
    axis: int = -1,
    output: _Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
    *,
    nan: Literal["propagate", "ignore"] = "propagate",
    device: _DeviceLike = "auto",
) -> Any: ...
def convolve1d(
    input: ArrayLike | Array,
    weights: ArrayLike,
    axis: int = -1,
    output: _Output = None,
    mode: str = "reflect",
    cval: complex = 0.0,
    origin: int = 0,
    *,
    nan: Literal["propagate", "ignore"] = "propagate",
    device: _DeviceLike = "auto",
) -> Any: ...
def convolve_separable(
    input: ArrayLike | Array,
    factors: Sequence[ArrayLike],
    output: _Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    origin: int | Sequence[int] = 0,
    *,
    axes: int | Sequence[int] | None = None,
    nan: Literal["propagate", "ignore"] = "propagate",
    device: _DeviceLike = "auto",
) -> Any: ...
def sobel(
    input: ArrayLike | Array,
    axis: int = -1,
    output: _Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
    device: _DeviceLike = "auto",
) -> Any: ...
def prewitt(
    input: ArrayLike | Array,
    axis: int = -1,
    output: _Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
    device: _DeviceLike = "auto",
) -> Any: ...
def laplace(
    input: ArrayLike | Array,
    output: _Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
    device: _DeviceLike = "auto",
) -> Any: ...
def gaussian_laplace(
    input: ArrayLike | Array,
    sigma: float | Sequence[float],
    output: _Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
    truncate: float = 4.0,
    radius: int | Sequence[int] | None = None,
    device: _DeviceLike = "auto",
) -> Any: ...
def gaussian_gradient_magnitude(
    input: ArrayLike | Array,
    sigma: float | Sequence[float],
    output: _Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: float = 0.0,
    *,
    axes: int | Sequence[int] | None = None,
    truncate: float = 4.0,
    radius: int | Sequence[int] | None = None,
    device: _DeviceLike = "auto",
) -> Any: ...
def unsharp_mask(
    input: ArrayLike | Array,
    radius: float | Sequence[float] = 1.0,
    amount: float = 1.0,
    output: _Output = None,
    mode: str | Sequence[str] = "reflect",
    cval: complex = 0.0,
    truncate: float = 4.0,
    *,
    channel_axis: int | None = None,
    axes: int | Sequence[int] | None = None,
    device: _DeviceLike = "auto",
) -> Any: ...

box_blur = uniform_filter
