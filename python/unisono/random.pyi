from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from numpy.typing import DTypeLike

from ._backend import Backend

__all__ = ["Generator", "default_rng"]

_DeviceLike: TypeAlias = str | Backend
_BitGenerator: TypeAlias = Literal["philox4x32-10", "philox4x32-7", "threefry4x32-20"]
_Size: TypeAlias = int | Sequence[int] | None

class Generator:
    seed: int
    stream: int
    position: int
    bit_generator: _BitGenerator
    device: _DeviceLike
    def __init__(
        self,
        seed: int = 0,
        stream: int = 0,
        position: int = 0,
        bit_generator: _BitGenerator = "philox4x32-10",
        device: _DeviceLike = "auto",
    ) -> None: ...
    def random(self, size: _Size = None, dtype: DTypeLike = ..., out: Any = None, *, resident: bool = False) -> Any: ...
    def uniform(
        self,
        low: float = 0.0,
        high: float = 1.0,
        size: _Size = None,
        dtype: DTypeLike = ...,
        out: Any = None,
        *,
        resident: bool = False,
    ) -> Any: ...
    def normal(
        self,
        loc: float = 0.0,
        scale: float = 1.0,
        size: _Size = None,
        dtype: DTypeLike = ...,
        out: Any = None,
        *,
        resident: bool = False,
    ) -> Any: ...
    def standard_normal(self, size: _Size = None, dtype: DTypeLike = ..., out: Any = None, *, resident: bool = False) -> Any: ...
    def exponential(
        self, scale: float = 1.0, size: _Size = None, dtype: DTypeLike = ..., out: Any = None, *, resident: bool = False
    ) -> Any: ...
    def integers(
        self,
        low: int,
        high: int | None = None,
        size: _Size = None,
        dtype: DTypeLike = ...,
        out: Any = None,
        *,
        resident: bool = False,
    ) -> Any: ...

def default_rng(
    seed: int = 0, *, stream: int = 0, bit_generator: _BitGenerator = "philox4x32-10", device: _DeviceLike = "auto"
) -> Generator: ...
