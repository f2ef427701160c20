from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._functions import _Axis, _Mode, _OutT, Pi
from ._unisono import Array

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

def devices() -> list[Device]: ...

class Backend:
    __slots__ = ("device",)
    device: str
    def __init__(self, device: str | Backend = "auto") -> None: ...
    def __setattr__(self, name: str, value: object) -> None: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[type[Backend], tuple[str]]: ...
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
        fill_value: float = 0,
        ndim: Literal[1, 2, 3] = 2,
        out: None = None,
        out_dtype: DTypeLike | None = None,
    ) -> Array: ...
    @overload
    def convolve(
        self,
        images: ArrayLike,
        kernels: ArrayLike,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: float = 0,
        ndim: Literal[1, 2, 3] = 2,
        out: None = None,
        out_dtype: DTypeLike | None = None,
    ) -> NDArray[Any]: ...
    @overload
    def convolve(
        self,
        images: ArrayLike | Array,
        kernels: ArrayLike | Array,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: float = 0,
        ndim: Literal[1, 2, 3] = 2,
        *,
        out: _OutT,
        out_dtype: DTypeLike | None = None,
    ) -> _OutT: ...
    @overload
    def correlate(
        self,
        images: Array,
        kernels: ArrayLike | Array,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: float = 0,
        ndim: Literal[1, 2, 3] = 2,
        out: None = None,
        out_dtype: DTypeLike | None = None,
    ) -> Array: ...
    @overload
    def correlate(
        self,
        images: ArrayLike,
        kernels: ArrayLike,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: float = 0,
        ndim: Literal[1, 2, 3] = 2,
        out: None = None,
        out_dtype: DTypeLike | None = None,
    ) -> NDArray[Any]: ...
    @overload
    def correlate(
        self,
        images: ArrayLike | Array,
        kernels: ArrayLike | Array,
        mode: _Mode = "full",
        boundary: str | Sequence[str] = "constant",
        fill_value: float = 0,
        ndim: Literal[1, 2, 3] = 2,
        *,
        out: _OutT,
        out_dtype: DTypeLike | None = None,
    ) -> _OutT: ...
    @overload
    def sum(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def sum(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> np.number[Any]: ...
    @overload
    def sum(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> np.number[Any] | NDArray[Any]: ...
    @overload
    def sum(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def prod(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def prod(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> np.number[Any]: ...
    @overload
    def prod(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> np.number[Any] | NDArray[Any]: ...
    @overload
    def prod(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def mean(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def mean(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> np.floating[Any]: ...
    @overload
    def mean(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> np.floating[Any] | NDArray[Any]: ...
    @overload
    def mean(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def min(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def min(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> np.generic: ...
    @overload
    def min(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> np.generic | NDArray[Any]: ...
    @overload
    def min(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def max(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def max(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> np.generic: ...
    @overload
    def max(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> np.generic | NDArray[Any]: ...
    @overload
    def max(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def argmin(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def argmin(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> int: ...
    @overload
    def argmin(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> int | NDArray[np.int64]: ...
    @overload
    def argmin(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def argmax(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def argmax(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> int: ...
    @overload
    def argmax(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> int | NDArray[np.int64]: ...
    @overload
    def argmax(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def any(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def any(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> bool: ...
    @overload
    def any(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> bool | NDArray[np.bool_]: ...
    @overload
    def any(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def all(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def all(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> bool: ...
    @overload
    def all(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> bool | NDArray[np.bool_]: ...
    @overload
    def all(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    @overload
    def count_nonzero(self, a: Array, axis: _Axis = None, keepdims: bool = False, out: None = None) -> Array: ...
    @overload
    def count_nonzero(self, a: ArrayLike, axis: None = None, keepdims: Literal[False] = False, out: None = None) -> int: ...
    @overload
    def count_nonzero(self, a: ArrayLike, axis: _Axis = None, keepdims: bool = False, out: None = None) -> int | NDArray[np.int64]: ...
    @overload
    def count_nonzero(self, a: ArrayLike | Array, axis: _Axis = None, keepdims: bool = False, *, out: _OutT) -> _OutT: ...
    def pi(self, samples: int, seed: int = 0, start: int = 0) -> Pi: ...
