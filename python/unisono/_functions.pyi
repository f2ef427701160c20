from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._backend import Backend
from ._unisono import Array, Integral, Wgsl

_DeviceLike: TypeAlias = str | Backend
_Algorithm: TypeAlias = Literal["auto", "direct", "separable", "fast-fir", "fft"]
_Accuracy: TypeAlias = Literal["default", "elementwise", "exact"]
_Centre: TypeAlias = Literal["signal", "signal2d", "ndimage"]
_Mode: TypeAlias = Literal["full", "same", "valid"]
_Overflow: TypeAlias = Literal["error", "wrap", "saturate"]
_Axis: TypeAlias = int | Sequence[int] | NDArray[np.integer[Any]] | None
_OutT = TypeVar("_OutT", bound=NDArray[Any] | Array)

def upload(a: ArrayLike, device: _DeviceLike = "auto") -> Array: ...
@overload
def convolve(
    images: Array,
    kernels: ArrayLike | Array,
    mode: _Mode = "full",
    boundary: str | Sequence[str] = "constant",
    fill_value: complex = 0,
    ndim: Literal[1, 2, 3] = 2,
    device: _DeviceLike = "auto",
    out: None = None,
    out_dtype: DTypeLike | None = None,
    algorithm: _Algorithm = "auto",
    accuracy: _Accuracy = "default",
    *,
    centre: _Centre = "signal",
    origin: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int | None = None,
    overflow: _Overflow = "error",
    nan: Literal["propagate", "ignore"] = "propagate",
) -> Array: ...
@overload
def convolve(
    images: ArrayLike,
    kernels: Array,
    mode: _Mode = "full",
    boundary: str | Sequence[str] = "constant",
    fill_value: complex = 0,
    ndim: Literal[1, 2, 3] = 2,
    device: _DeviceLike = "auto",
    out: None = None,
    out_dtype: DTypeLike | None = None,
    algorithm: _Algorithm = "auto",
    accuracy: _Accuracy = "default",
    *,
    centre: _Centre = "signal",
    origin: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int | None = None,
    overflow: _Overflow = "error",
    nan: Literal["propagate", "ignore"] = "propagate",
) -> Array: ...
@overload
def convolve(
    images: ArrayLike,
    kernels: ArrayLike,
    mode: _Mode = "full",
    boundary: str | Sequence[str] = "constant",
    fill_value: complex = 0,
    ndim: Literal[1, 2, 3] = 2,
    device: _DeviceLike = "auto",
    out: None = None,
    out_dtype: DTypeLike | None = None,
    algorithm: _Algorithm = "auto",
    accuracy: _Accuracy = "default",
    *,
    centre: _Centre = "signal",
    origin: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int | None = None,
    overflow: _Overflow = "error",
    nan: Literal["propagate", "ignore"] = "propagate",
) -> NDArray[Any]: ...
@overload
def convolve(
    images: ArrayLike | Array,
    kernels: ArrayLike | Array,
    mode: _Mode = "full",
    boundary: str | Sequence[str] = "constant",
    fill_value: complex = 0,
    ndim: Literal[1, 2, 3] = 2,
    device: _DeviceLike = "auto",
    *,
    out: _OutT,
    out_dtype: DTypeLike | None = None,
    algorithm: _Algorithm = "auto",
    accuracy: _Accuracy = "default",
    centre: _Centre = "signal",
    origin: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int | None = None,
    overflow: _Overflow = "error",
    nan: Literal["propagate", "ignore"] = "propagate",
) -> _OutT: ...
@overload
def convolve(
    images: ArrayLike | Array,
    kernels: ArrayLike | Array,
    mode: _Mode,
    boundary: str | Sequence[str],
    fill_value: complex,
    ndim: Literal[1, 2, 3],
    device: _DeviceLike,
    out: _OutT,
    out_dtype: DTypeLike | None = None,
    algorithm: _Algorithm = "auto",
    accuracy: _Accuracy = "default",
    *,
    centre: _Centre = "signal",
    origin: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int | None = None,
    overflow: _Overflow = "error",
    nan: Literal["propagate", "ignore"] = "propagate",
) -> _OutT: ...
@overload
def correlate(
    images: Array,
    kernels: ArrayLike | Array,
    mode: _Mode = "full",
    boundary: str | Sequence[str] = "constant",
    fill_value: complex = 0,
    ndim: Literal[1, 2, 3] = 2,
    device: _DeviceLike = "auto",
    out: None = None,
    out_dtype: DTypeLike | None = None,
    algorithm: _Algorithm = "auto",
    accuracy: _Accuracy = "default",
    *,
    centre: _Centre = "signal",
    origin: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int | None = None,
    overflow: _Overflow = "error",
    nan: Literal["propagate", "ignore"] = "propagate",
) -> Array: ...
@overload
def correlate(
    images: ArrayLike,
    kernels: Array,
    mode: _Mode = "full",
    boundary: str | Sequence[str] = "constant",
    fill_value: complex = 0,
    ndim: Literal[1, 2, 3] = 2,
    device: _DeviceLike = "auto",
    out: None = None,
    out_dtype: DTypeLike | None = None,
    algorithm: _Algorithm = "auto",
    accuracy: _Accuracy = "default",
    *,
    centre: _Centre = "signal",
    origin: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int | None = None,
    overflow: _Overflow = "error",
    nan: Literal["propagate", "ignore"] = "propagate",
) -> Array: ...
@overload
def correlate(
    images: ArrayLike,
    kernels: ArrayLike,
    mode: _Mode = "full",
    boundary: str | Sequence[str] = "constant",
    fill_value: complex = 0,
    ndim: Literal[1, 2, 3] = 2,
    device: _DeviceLike = "auto",
    out: None = None,
    out_dtype: DTypeLike | None = None,
    algorithm: _Algorithm = "auto",
    accuracy: _Accuracy = "default",
    *,
    centre: _Centre = "signal",
    origin: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int | None = None,
    overflow: _Overflow = "error",
    nan: Literal["propagate", "ignore"] = "propagate",
) -> NDArray[Any]: ...
@overload
def correlate(
    images: ArrayLike | Array,
    kernels: ArrayLike | Array,
    mode: _Mode = "full",
    boundary: str | Sequence[str] = "constant",
    fill_value: complex = 0,
    ndim: Literal[1, 2, 3] = 2,
    device: _DeviceLike = "auto",
    *,
    out: _OutT,
    out_dtype: DTypeLike | None = None,
    algorithm: _Algorithm = "auto",
    accuracy: _Accuracy = "default",
    centre: _Centre = "signal",
    origin: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int | None = None,
    overflow: _Overflow = "error",
    nan: Literal["propagate", "ignore"] = "propagate",
) -> _OutT: ...
@overload
def correlate(
    images: ArrayLike | Array,
    kernels: ArrayLike | Array,
    mode: _Mode,
    boundary: str | Sequence[str],
    fill_value: complex,
    ndim: Literal[1, 2, 3],
    device: _DeviceLike,
    out: _OutT,
    out_dtype: DTypeLike | None = None,
    algorithm: _Algorithm = "auto",
    accuracy: _Accuracy = "default",
    *,
    centre: _Centre = "signal",
    origin: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int | None = None,
    overflow: _Overflow = "error",
    nan: Literal["propagate", "ignore"] = "propagate",
) -> _OutT: ...
def explain_convolve(
    images: ArrayLike | Array,
    kernels: ArrayLike | Array,
    mode: _Mode = "full",
    boundary: str | Sequence[str] = "constant",
    fill_value: complex = 0,
    ndim: Literal[1, 2, 3] = 2,
    device: _DeviceLike = "auto",
    out_dtype: DTypeLike | None = None,
    algorithm: _Algorithm = "auto",
    accuracy: _Accuracy = "default",
    *,
    centre: _Centre = "signal",
    origin: int | Sequence[int] = 0,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int | None = None,
    overflow: _Overflow = "error",
    nan: Literal["propagate", "ignore"] = "propagate",
) -> str: ...
@dataclass(frozen=True)
class Pi:
    hits: int
    samples: int
    estimate: float
    standard_error: float
    method: str = ...
    bits: int = ...
    counts: tuple[int, ...] = ...
    bias: float = ...
    equivalent_samples: float = ...
    def __float__(self) -> float: ...
    def confidence_interval(self, level: float = 0.95) -> tuple[float, float]: ...
    def merge(self, other: Pi) -> Pi: ...

_PiMethod: TypeAlias = Literal["plain", "antithetic", "reflected", "stratified", "sobol"]

def pi(
    samples: float,
    seed: int = 0,
    device: _DeviceLike = "auto",
    start: float = 0,
    *,
    method: _PiMethod = "plain",
    bits: Literal[16, 32] | None = None,
) -> Pi: ...

def map(
    expr: str,
    arrays: Mapping[str, ArrayLike | Array] | None = None,
    /,
    *,
    device: _DeviceLike = "auto",
    dtype: DTypeLike | None = None,
    out: NDArray[Any] | Array | None = None,
    **named: ArrayLike | Array,
) -> Any: ...
def map_reduce(
    expr: str,
    op: str,
    arrays: Mapping[str, ArrayLike | Array] | None = None,
    /,
    *,
    device: _DeviceLike = "auto",
    dtype: DTypeLike | None = None,
    **named: ArrayLike | Array,
) -> Any: ...
def integrate(
    expr: str | Wgsl,
    bounds: Mapping[str, tuple[float, float]],
    samples: float = ...,
    *,
    seed: int = 0,
    absolute_error: float = 0.0,
    relative_error: float = 0.0,
    round: float | None = None,
    params: Mapping[str, float] | None = None,
    dtype: DTypeLike = "float32",
    method: str = "plain",
    start: float = 0,
    device: _DeviceLike = "auto",
) -> Integral: ...
