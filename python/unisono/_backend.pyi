from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._filters import _Output
from ._functions import _Accuracy, _Algorithm, _Axis, _Centre, _Mode, _OutT, _Overflow, _PiMethod, Pi
from ._reductions import _Scalar
from ._order import _Method
from ._unisono import Array, Integral, Wgsl

@dataclass(frozen=True)
class Device:
    id: str
    name: str
    kind: str
    backend: str
    driver: str
    pci: str | None
    threads: int
    max_buffer: int
    max_binding: int
    workgroup_memory: int
    workgroup_invocations: int
    f64: bool
    int64: bool
    warnings: tuple[str, ...]
    auto: bool | None = None
    reason: str | None = None

@dataclass(frozen=True)
class Counters:
    operations: int
    work: int
    dispatches: int
    uploaded: int
    downloaded: int
    peak: int

def devices() -> list[Device]: ...

class Backend:
    __slots__ = ("device", "memory_limit", "progress")
    device: str
    memory_limit: int | None
    progress: Callable[[int, int], object] | None
    def __init__(
        self,
        device: str | Backend = "auto",
        memory_limit: int | None = None,
        progress: Callable[[int, int], object] | None = None,
    ) -> None: ...
    def __setattr__(self, name: str, value: object) -> None: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[type[Backend], tuple[str, int | None]]: ...
    @property
    def info(self) -> Device: ...
    @property
    def counters(self) -> Counters: ...
    def upload(self, a: ArrayLike) -> Array: ...
    @overload
    def convolve(
        self,
        images: Array,
        kernels: ArrayLike | Array,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: complex = 0,
        ndim: Literal[1, 2, 3] = 2,
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
        self,
        images: ArrayLike,
        kernels: Array,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: complex = 0,
        ndim: Literal[1, 2, 3] = 2,
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
        self,
        images: ArrayLike,
        kernels: ArrayLike,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: complex = 0,
        ndim: Literal[1, 2, 3] = 2,
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
        self,
        images: ArrayLike | Array,
        kernels: ArrayLike | Array,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: complex = 0,
        ndim: Literal[1, 2, 3] = 2,
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
        self,
        images: ArrayLike | Array,
        kernels: ArrayLike | Array,
        mode: _Mode,
        boundary: str | Sequence[str],
        fill_value: complex,
        ndim: Literal[1, 2, 3],
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
        self,
        images: Array,
        kernels: ArrayLike | Array,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: complex = 0,
        ndim: Literal[1, 2, 3] = 2,
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
        self,
        images: ArrayLike,
        kernels: Array,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: complex = 0,
        ndim: Literal[1, 2, 3] = 2,
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
        self,
        images: ArrayLike,
        kernels: ArrayLike,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: complex = 0,
        ndim: Literal[1, 2, 3] = 2,
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
        self,
        images: ArrayLike | Array,
        kernels: ArrayLike | Array,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: complex = 0,
        ndim: Literal[1, 2, 3] = 2,
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
        self,
        images: ArrayLike | Array,
        kernels: ArrayLike | Array,
        mode: _Mode,
        boundary: str | Sequence[str],
        fill_value: complex,
        ndim: Literal[1, 2, 3],
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
    def sum(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error", mode: Literal["exact", "fast"] = "exact") -> Array: ...
    @overload
    def sum(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error", mode: Literal["exact", "fast"] = "exact") -> np.number[Any]: ...
    @overload
    def sum(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error", mode: Literal["exact", "fast"] = "exact") -> np.number[Any] | NDArray[Any]: ...
    @overload
    def sum(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error", mode: Literal["exact", "fast"] = "exact") -> _OutT: ...
    @overload
    def sum(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error", mode: Literal["exact", "fast"] = "exact") -> _OutT: ...
    @overload
    def prod(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error") -> Array: ...
    @overload
    def prod(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error") -> np.number[Any]: ...
    @overload
    def prod(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error") -> np.number[Any] | NDArray[Any]: ...
    @overload
    def prod(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error") -> _OutT: ...
    @overload
    def prod(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error") -> _OutT: ...
    @overload
    def mean(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None, mode: Literal["exact", "fast"] = "exact") -> Array: ...
    @overload
    def mean(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None, mode: Literal["exact", "fast"] = "exact") -> np.floating[Any]: ...
    @overload
    def mean(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None, mode: Literal["exact", "fast"] = "exact") -> np.floating[Any] | NDArray[Any]: ...
    @overload
    def mean(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None, mode: Literal["exact", "fast"] = "exact") -> _OutT: ...
    @overload
    def mean(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None, mode: Literal["exact", "fast"] = "exact") -> _OutT: ...
    @overload
    def min(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> Array: ...
    @overload
    def min(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> np.generic: ...
    @overload
    def min(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> np.generic | NDArray[Any]: ...
    @overload
    def min(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def min(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def max(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> Array: ...
    @overload
    def max(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> np.generic: ...
    @overload
    def max(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> np.generic | NDArray[Any]: ...
    @overload
    def max(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def max(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def argmin(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def argmin(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> int: ...
    @overload
    def argmin(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> int | NDArray[np.int64]: ...
    @overload
    def argmin(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def argmin(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT) -> _OutT: ...
    @overload
    def argmax(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def argmax(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> int: ...
    @overload
    def argmax(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> int | NDArray[np.int64]: ...
    @overload
    def argmax(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def argmax(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT) -> _OutT: ...
    @overload
    def any(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, where: ArrayLike | Array | None = None) -> Array: ...
    @overload
    def any(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, where: ArrayLike | Array | None = None) -> bool: ...
    @overload
    def any(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, where: ArrayLike | Array | None = None) -> bool | NDArray[np.bool_]: ...
    @overload
    def any(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def any(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def all(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, where: ArrayLike | Array | None = None) -> Array: ...
    @overload
    def all(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, where: ArrayLike | Array | None = None) -> bool: ...
    @overload
    def all(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, where: ArrayLike | Array | None = None) -> bool | NDArray[np.bool_]: ...
    @overload
    def all(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def all(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def count_nonzero(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, where: ArrayLike | Array | None = None) -> Array: ...
    @overload
    def count_nonzero(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, where: ArrayLike | Array | None = None) -> int: ...
    @overload
    def count_nonzero(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, where: ArrayLike | Array | None = None) -> int | NDArray[np.int64]: ...
    @overload
    def count_nonzero(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def count_nonzero(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def var(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> Array: ...
    @overload
    def var(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> np.floating[Any]: ...
    @overload
    def var(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> np.floating[Any] | NDArray[Any]: ...
    @overload
    def var(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def var(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def std(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> Array: ...
    @overload
    def std(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> np.floating[Any]: ...
    @overload
    def std(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> np.floating[Any] | NDArray[Any]: ...
    @overload
    def std(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def std(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def ptp(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, overflow: _Overflow = "error") -> Array: ...
    @overload
    def ptp(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, overflow: _Overflow = "error") -> np.generic: ...
    @overload
    def ptp(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, overflow: _Overflow = "error") -> np.generic | NDArray[Any]: ...
    @overload
    def ptp(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, overflow: _Overflow = "error") -> _OutT: ...
    @overload
    def ptp(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, overflow: _Overflow = "error") -> _OutT: ...
    @overload
    def nansum(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error", mode: Literal["exact", "fast"] = "exact") -> Array: ...
    @overload
    def nansum(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error", mode: Literal["exact", "fast"] = "exact") -> np.number[Any]: ...
    @overload
    def nansum(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error", mode: Literal["exact", "fast"] = "exact") -> np.number[Any] | NDArray[Any]: ...
    @overload
    def nansum(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error", mode: Literal["exact", "fast"] = "exact") -> _OutT: ...
    @overload
    def nansum(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error", mode: Literal["exact", "fast"] = "exact") -> _OutT: ...
    @overload
    def nanprod(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error") -> Array: ...
    @overload
    def nanprod(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error") -> np.number[Any]: ...
    @overload
    def nanprod(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error") -> np.number[Any] | NDArray[Any]: ...
    @overload
    def nanprod(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error") -> _OutT: ...
    @overload
    def nanprod(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, dtype: DTypeLike | None = None, initial: _Scalar | None = None, where: ArrayLike | Array | None = None, overflow: _Overflow = "error") -> _OutT: ...
    @overload
    def nanmean(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None, mode: Literal["exact", "fast"] = "exact") -> Array: ...
    @overload
    def nanmean(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None, mode: Literal["exact", "fast"] = "exact") -> np.floating[Any]: ...
    @overload
    def nanmean(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None, mode: Literal["exact", "fast"] = "exact") -> np.floating[Any] | NDArray[Any]: ...
    @overload
    def nanmean(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None, mode: Literal["exact", "fast"] = "exact") -> _OutT: ...
    @overload
    def nanmean(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None, mode: Literal["exact", "fast"] = "exact") -> _OutT: ...
    @overload
    def nanvar(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> Array: ...
    @overload
    def nanvar(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> np.floating[Any]: ...
    @overload
    def nanvar(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> np.floating[Any] | NDArray[Any]: ...
    @overload
    def nanvar(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def nanvar(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def nanstd(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> Array: ...
    @overload
    def nanstd(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> np.floating[Any]: ...
    @overload
    def nanstd(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> np.floating[Any] | NDArray[Any]: ...
    @overload
    def nanstd(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def nanstd(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, ddof: int = 0, dtype: DTypeLike | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def nanmin(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> Array: ...
    @overload
    def nanmin(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> np.generic: ...
    @overload
    def nanmin(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> np.generic | NDArray[Any]: ...
    @overload
    def nanmin(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def nanmin(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def nanmax(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> Array: ...
    @overload
    def nanmax(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> np.generic: ...
    @overload
    def nanmax(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> np.generic | NDArray[Any]: ...
    @overload
    def nanmax(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def nanmax(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT, *, initial: _Scalar | None = None, where: ArrayLike | Array | None = None) -> _OutT: ...
    @overload
    def nanargmin(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def nanargmin(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> int: ...
    @overload
    def nanargmin(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> int | NDArray[np.int64]: ...
    @overload
    def nanargmin(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def nanargmin(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT) -> _OutT: ...
    @overload
    def nanargmax(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def nanargmax(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> int: ...
    @overload
    def nanargmax(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> int | NDArray[np.int64]: ...
    @overload
    def nanargmax(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def nanargmax(self, a: ArrayLike | Array, axis: _Axis, keepdims: bool, out: _OutT) -> _OutT: ...
    def norm(
        self,
        a: ArrayLike | Array,
        ord: float = 2,
        axis: _Axis = None,
        keepdims: bool = False,
        out: NDArray[Any] | Array | None = None,
        *,
        dtype: DTypeLike | None = None,
        where: ArrayLike | Array | None = None,
    ) -> Any: ...
    def vecdot(
        self,
        x1: ArrayLike | Array,
        x2: ArrayLike | Array,
        axis: _Axis = -1,
        keepdims: bool = False,
        out: NDArray[Any] | Array | None = None,
        *,
        dtype: DTypeLike | None = None,
        overflow: _Overflow = "error",
    ) -> Any: ...
    def dot(
        self,
        x1: ArrayLike | Array,
        x2: ArrayLike | Array,
        out: NDArray[Any] | Array | None = None,
        *,
        dtype: DTypeLike | None = None,
        overflow: _Overflow = "error",
    ) -> Any: ...
    def reduce_chunks(
        self,
        chunks: Iterable[ArrayLike],
        op: str = "sum",
        axis: _Axis = None,
        keepdims: bool = False,
        *,
        ord: float | None = None,
        ddof: int = 0,
        dtype: DTypeLike | None = None,
        initial: _Scalar | None = None,
        where: Iterable[ArrayLike | Array] | None = None,
        overflow: _Overflow = "error",
        mode: Literal["exact", "fast"] = "exact",
        nan: Literal["propagate", "ignore"] = "propagate",
    ) -> Any: ...
    def cumsum(self, a: ArrayLike | Array, axis: int | None = None, out: NDArray[Any] | Array | None = None, *, dtype: DTypeLike | None = None, exclusive: bool = False, reverse: bool = False, wrapping: bool = False) -> Any: ...
    def nancumsum(self, a: ArrayLike | Array, axis: int | None = None, out: NDArray[Any] | Array | None = None, *, dtype: DTypeLike | None = None, exclusive: bool = False, reverse: bool = False, wrapping: bool = False) -> Any: ...
    def cumprod(self, a: ArrayLike | Array, axis: int | None = None, out: NDArray[Any] | Array | None = None, *, dtype: DTypeLike | None = None, exclusive: bool = False, reverse: bool = False, wrapping: bool = False) -> Any: ...
    def nancumprod(self, a: ArrayLike | Array, axis: int | None = None, out: NDArray[Any] | Array | None = None, *, dtype: DTypeLike | None = None, exclusive: bool = False, reverse: bool = False, wrapping: bool = False) -> Any: ...
    def cummax(self, a: ArrayLike | Array, axis: int | None = None, out: NDArray[Any] | Array | None = None, *, reverse: bool = False) -> Any: ...
    def cummin(self, a: ArrayLike | Array, axis: int | None = None, out: NDArray[Any] | Array | None = None, *, reverse: bool = False) -> Any: ...
    def cumulative_sum(self, x: ArrayLike | Array, /, *, axis: int | None = None, dtype: DTypeLike | None = None, include_initial: bool = False, reverse: bool = False, wrapping: bool = False, out: NDArray[Any] | Array | None = None) -> Any: ...
    def cumulative_prod(self, x: ArrayLike | Array, /, *, axis: int | None = None, dtype: DTypeLike | None = None, include_initial: bool = False, reverse: bool = False, wrapping: bool = False, out: NDArray[Any] | Array | None = None) -> Any: ...
    def median(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, out: NDArray[Any] | Array | None = None, *, where: ArrayLike | Array | None = None) -> Any: ...
    def nanmedian(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, out: NDArray[Any] | Array | None = None, *, where: ArrayLike | Array | None = None) -> Any: ...
    def quantile(self, a: ArrayLike | Array, q: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: NDArray[Any] | Array | None = None, *, method: _Method = "linear", weights: ArrayLike | Array | None = None, where: ArrayLike | Array | None = None) -> Any: ...
    def nanquantile(self, a: ArrayLike | Array, q: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: NDArray[Any] | Array | None = None, *, method: _Method = "linear", weights: ArrayLike | Array | None = None, where: ArrayLike | Array | None = None) -> Any: ...
    def percentile(self, a: ArrayLike | Array, q: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: NDArray[Any] | Array | None = None, *, method: _Method = "linear", weights: ArrayLike | Array | None = None, where: ArrayLike | Array | None = None) -> Any: ...
    def nanpercentile(self, a: ArrayLike | Array, q: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: NDArray[Any] | Array | None = None, *, method: _Method = "linear", weights: ArrayLike | Array | None = None, where: ArrayLike | Array | None = None) -> Any: ...
    def topk(self, a: ArrayLike | Array, k: int, axis: int = -1, largest: bool = True) -> tuple[Any, Any]: ...
    def logsumexp(self, a: ArrayLike | Array, axis: _Axis = None, b: ArrayLike | Array | None = None, keepdims: bool = False, return_sign: bool = False) -> Any: ...
    def histogram(self, a: ArrayLike | Array, bins: int | str | ArrayLike = 10, range: tuple[float, float] | None = None, weights: ArrayLike | None = None, density: bool = False) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def bincount(self, x: ArrayLike | Array, weights: ArrayLike | None = None, minlength: int = 0) -> NDArray[Any]: ...
    def sum_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None) -> Any: ...
    def mean_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None) -> Any: ...
    def min_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None) -> Any: ...
    def max_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None) -> Any: ...
    def argmin_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None) -> Any: ...
    def argmax_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None) -> Any: ...
    def var_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None, *, ddof: int = 0) -> Any: ...
    def std_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None, *, ddof: int = 0) -> Any: ...
    def median_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None) -> Any: ...
    def min_position_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None) -> tuple[int, ...] | list[tuple[int, ...]]: ...
    def max_position_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None) -> tuple[int, ...] | list[tuple[int, ...]]: ...
    def extrema_by_label(self, values: ArrayLike | Array, labels: ArrayLike | Array, index: ArrayLike | None = None) -> tuple[Any, Any, tuple[int, ...] | list[tuple[int, ...]], tuple[int, ...] | list[tuple[int, ...]]]: ...
    def histogram_by_label(self, values: ArrayLike | Array, bins: int | str | ArrayLike, labels: ArrayLike | Array, index: ArrayLike | None = None, range: tuple[float, float] | None = None) -> tuple[NDArray[Any], NDArray[Any]]: ...
    def count_by_label(self, labels: ArrayLike | Array, index: ArrayLike | None = None) -> Any: ...
    def gaussian_filter1d(
        self,
        input: ArrayLike | Array,
        sigma: float,
        axis: int = -1,
        order: int = 0,
        output: _Output = None,
        mode: str = "reflect",
        cval: float = 0.0,
        truncate: float = 4.0,
        *,
        radius: int | None = None,
        nan: Literal["propagate", "ignore"] = "propagate",
    ) -> Any: ...
    def gaussian_filter(
        self,
        input: ArrayLike | Array,
        sigma: float | Sequence[float],
        order: int | Sequence[int] = 0,
        output: _Output = None,
        mode: str | Sequence[str] = "reflect",
        cval: float = 0.0,
        truncate: float = 4.0,
        *,
        radius: int | Sequence[int] | None = None,
        axes: int | Sequence[int] | None = None,
        nan: Literal["propagate", "ignore"] = "propagate",
    ) -> Any: ...
    def uniform_filter1d(
        self,
        input: ArrayLike | Array,
        size: int,
        axis: int = -1,
        output: _Output = None,
        mode: str = "reflect",
        cval: float = 0.0,
        origin: int = 0,
        *,
        nan: Literal["propagate", "ignore"] = "propagate",
    ) -> Any: ...
    def uniform_filter(
        self,
        input: ArrayLike | Array,
        size: int | Sequence[int] = 3,
        output: _Output = None,
        mode: str | Sequence[str] = "reflect",
        cval: float = 0.0,
        origin: int | Sequence[int] = 0,
        *,
        axes: int | Sequence[int] | None = None,
        nan: Literal["propagate", "ignore"] = "propagate",
    ) -> Any: ...
    def correlate1d(
        self,
        input: ArrayLike | Array,
        weights: ArrayLike,
        axis: int = -1,
        output: _Output = None,
        mode: str = "reflect",
        cval: float = 0.0,
        origin: int = 0,
        *,
        nan: Literal["propagate", "ignore"] = "propagate",
    ) -> Any: ...
    def convolve1d(
        self,
        input: ArrayLike | Array,
        weights: ArrayLike,
        axis: int = -1,
        output: _Output = None,
        mode: str = "reflect",
        cval: float = 0.0,
        origin: int = 0,
        *,
        nan: Literal["propagate", "ignore"] = "propagate",
    ) -> Any: ...
    def convolve_separable(
        self,
        input: ArrayLike | Array,
        factors: Sequence[ArrayLike],
        output: _Output = None,
        mode: str | Sequence[str] = "reflect",
        cval: float = 0.0,
        origin: int | Sequence[int] = 0,
        *,
        axes: int | Sequence[int] | None = None,
        nan: Literal["propagate", "ignore"] = "propagate",
    ) -> Any: ...
    def sobel(
        self,
        input: ArrayLike | Array,
        axis: int = -1,
        output: _Output = None,
        mode: str | Sequence[str] = "reflect",
        cval: complex = 0.0,
        *,
        axes: int | Sequence[int] | None = None,
    ) -> Any: ...
    def prewitt(
        self,
        input: ArrayLike | Array,
        axis: int = -1,
        output: _Output = None,
        mode: str | Sequence[str] = "reflect",
        cval: complex = 0.0,
        *,
        axes: int | Sequence[int] | None = None,
    ) -> Any: ...
    def laplace(
        self,
        input: ArrayLike | Array,
        output: _Output = None,
        mode: str | Sequence[str] = "reflect",
        cval: float = 0.0,
        *,
        axes: int | Sequence[int] | None = None,
    ) -> Any: ...
    def gaussian_laplace(
        self,
        input: ArrayLike | Array,
        sigma: float | Sequence[float],
        output: _Output = None,
        mode: str | Sequence[str] = "reflect",
        cval: float = 0.0,
        *,
        axes: int | Sequence[int] | None = None,
        truncate: float = 4.0,
        radius: int | Sequence[int] | None = None,
    ) -> Any: ...
    def gaussian_gradient_magnitude(
        self,
        input: ArrayLike | Array,
        sigma: float | Sequence[float],
        output: _Output = None,
        mode: str | Sequence[str] = "reflect",
        cval: float = 0.0,
        *,
        axes: int | Sequence[int] | None = None,
        truncate: float = 4.0,
        radius: int | Sequence[int] | None = None,
    ) -> Any: ...
    def unsharp_mask(
        self,
        input: ArrayLike | Array,
        radius: float | Sequence[float] = 1.0,
        amount: float = 1.0,
        output: _Output = None,
        mode: str | Sequence[str] = "reflect",
        cval: float = 0.0,
        truncate: float = 4.0,
        *,
        channel_axis: int | None = None,
        axes: int | Sequence[int] | None = None,
    ) -> Any: ...
    def explain_convolve(
        self,
        images: ArrayLike | Array,
        kernels: ArrayLike | Array,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: complex = 0,
        ndim: Literal[1, 2, 3] = 2,
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
    def pi(
        self,
        samples: float,
        seed: int = 0,
        start: float = 0,
        *,
        method: _PiMethod = "plain",
        bits: Literal[16, 32] | None = None,
    ) -> Pi: ...
    def map(
        self,
        expr: str,
        arrays: Mapping[str, ArrayLike | Array] | None = None,
        /,
        *,
        dtype: DTypeLike | None = None,
        out: NDArray[Any] | Array | None = None,
        **named: ArrayLike | Array,
    ) -> Any: ...
    def map_reduce(
        self,
        expr: str,
        op: str,
        arrays: Mapping[str, ArrayLike | Array] | None = None,
        /,
        *,
        dtype: DTypeLike | None = None,
        **named: ArrayLike | Array,
    ) -> Any: ...
    def integrate(
        self,
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
    ) -> Integral: ...
