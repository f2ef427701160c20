"""Devices: listing them, and the handle that remembers one."""

import operator
from dataclasses import dataclass

from . import _filters, _functions, _group, _order, _reductions, _unisono


@dataclass(frozen=True)
class Device:
    """What is known about a device."""

    id: str
    """The text that opens it: ``cpu``, ``gpu:0``."""
    name: str
    """The maker's name for it."""
    kind: str
    """``discrete GPU``, ``integrated GPU``, ``virtual GPU``, ``GPU``, ``software GPU``, ``CPU`` or ``several devices``."""
    backend: str
    """The interface it is reached through: ``rayon``, ``Vulkan``, ``Metal``, ``DX12``."""
    driver: str
    """Driver name and version; for the CPU, the SIMD level in use."""
    pci: str | None
    """PCI address, if known."""
    threads: int
    """Threads of a CPU device, 0 otherwise."""
    max_buffer: int
    """Bytes of the largest buffer (0: no limit but memory)."""
    max_binding: int
    """Bytes of the largest binding (0: no limit but memory)."""
    workgroup_memory: int
    """Bytes of workgroup memory (0 on a CPU)."""
    workgroup_invocations: int
    """Invocations per workgroup (0 on a CPU)."""
    f64: bool
    """Whether default float64 convolution runs there."""
    int64: bool
    """Whether shaders have 64-bit integers."""
    warnings: tuple[str, ...]
    """What the self-test found wrong, in words."""
    auto: bool | None = None
    """Whether ``auto`` would take it (in :func:`devices` only)."""
    reason: str | None = None
    """Why, or why not (in :func:`devices` only)."""


@dataclass(frozen=True)
class Counters:
    """What a device has done since this process opened it."""

    operations: int
    """Operations, or parts of operations, run."""
    work: int
    """Multiply-adds, elements read, samples."""
    dispatches: int
    """Dispatches submitted (GPU)."""
    uploaded: int
    """Bytes moved to the device."""
    downloaded: int
    """Bytes moved from the device."""
    peak: int
    """Most bytes of buffers held at once: arrays, scratch, staging, and what is kept for reuse (GPU)."""


def _device(fields):
    return Device(**{**fields, "warnings": tuple(fields["warnings"])})


def devices():
    """Every device of the machine: the CPU, hardware GPUs, software GPUs.

    Returns
    -------
    list of Device

    Examples
    --------
    >>> unisono.devices()[0].id
    'cpu'
    """
    return [_device(fields) for fields in _unisono.devices()]


class Backend:
    """A device, opened: its methods are the functions of the package without ``device``.

    Cheap to make again (a device is opened once per process), usable from any thread, and picklable: an unpickled
    backend, or one that a forked child inherited, opens the device anew in its own process.

    Parameters
    ----------
    device : str
        As ``device`` everywhere.
    memory_limit : int, optional
        Bytes that a convolution or filter may take on each device. A GPU computes what does not fit piece by piece and streams
        it; results do not depend on it, but for floats within their bound. A limit too small for a single output makes the
        operation raise `ValueError`, which names one that would do.

    Raises
    ------
    ValueError
        There is no such device, or it cannot be opened; the message says why. Or the limit is not positive.

    Examples
    --------
    >>> cpu = unisono.Backend("cpu")
    >>> cpu.sum([1, 2, 3])
    np.int64(6)
    >>> unisono.sum([1, 2, 3], device=cpu)
    np.int64(6)
    """

    __slots__ = ("device", "memory_limit")

    def __init__(self, device="auto", memory_limit=None):
        if memory_limit is None:
            memory_limit = getattr(device, "memory_limit", None)
        elif not 0 < operator.index(memory_limit) < 2**64:
            raise ValueError(f"memory_limit: got {memory_limit}, expected a positive number of bytes")
        else:
            memory_limit = operator.index(memory_limit)
        object.__setattr__(self, "device", _unisono.open(device))
        object.__setattr__(self, "memory_limit", memory_limit)

    def __setattr__(self, name, value):
        raise AttributeError(f"Backend is immutable: {name} cannot be set")

    def __repr__(self):
        limit = "" if self.memory_limit is None else f", memory_limit={self.memory_limit}"
        return f"unisono.Backend({self.device!r}{limit})"

    def __eq__(self, other):
        return isinstance(other, Backend) and (self.device, self.memory_limit) == (other.device, other.memory_limit)

    def __hash__(self):
        return hash((Backend, self.device, self.memory_limit))

    def __reduce__(self):
        return Backend, (self.device, self.memory_limit)

    @property
    def info(self):
        """What is known about the device."""
        return _device(_unisono.info(self.device))

    @property
    def counters(self):
        """What the device has done since this process opened it."""
        return Counters(**_unisono.counters(self.device))

    def upload(self, a):
        """As :func:`unisono.upload`."""
        return _functions.upload(a, self)

    def convolve(
        self,
        images,
        kernels,
        mode="full",
        boundary="constant",
        fill_value=0,
        ndim=2,
        out=None,
        out_dtype=None,
        algorithm="auto",
        accuracy="default",
        *,
        centre="signal",
        origin=0,
        stride=1,
        dilation=1,
        groups=None,
        overflow="error",
        nan="propagate",
    ):
        """As :func:`unisono.convolve`."""
        return _functions.convolve(
            images,
            kernels,
            mode,
            boundary,
            fill_value,
            ndim,
            self,
            out,
            out_dtype,
            algorithm,
            accuracy,
            centre=centre,
            origin=origin,
            stride=stride,
            dilation=dilation,
            groups=groups,
            overflow=overflow,
            nan=nan,
        )

    def correlate(
        self,
        images,
        kernels,
        mode="full",
        boundary="constant",
        fill_value=0,
        ndim=2,
        out=None,
        out_dtype=None,
        algorithm="auto",
        accuracy="default",
        *,
        centre="signal",
        origin=0,
        stride=1,
        dilation=1,
        groups=None,
        overflow="error",
        nan="propagate",
    ):
        """As :func:`unisono.correlate`."""
        return _functions.correlate(
            images,
            kernels,
            mode,
            boundary,
            fill_value,
            ndim,
            self,
            out,
            out_dtype,
            algorithm,
            accuracy,
            centre=centre,
            origin=origin,
            stride=stride,
            dilation=dilation,
            groups=groups,
            overflow=overflow,
            nan=nan,
        )

    def sum(self, a, axis=None, keepdims=False, out=None, *, dtype=None, initial=None, where=None, overflow="error", mode="exact"):
        """As :func:`unisono.sum`."""
        return _reductions.sum(a, axis, keepdims, self, out, dtype=dtype, initial=initial, where=where, overflow=overflow, mode=mode)

    def prod(self, a, axis=None, keepdims=False, out=None, *, dtype=None, initial=None, where=None, overflow="error"):
        """As :func:`unisono.prod`."""
        return _reductions.prod(a, axis, keepdims, self, out, dtype=dtype, initial=initial, where=where, overflow=overflow)

    def mean(self, a, axis=None, keepdims=False, out=None, *, dtype=None, where=None, mode="exact"):
        """As :func:`unisono.mean`."""
        return _reductions.mean(a, axis, keepdims, self, out, dtype=dtype, where=where, mode=mode)

    def min(self, a, axis=None, keepdims=False, out=None, *, initial=None, where=None):
        """As :func:`unisono.min`."""
        return _reductions.min(a, axis, keepdims, self, out, initial=initial, where=where)

    def max(self, a, axis=None, keepdims=False, out=None, *, initial=None, where=None):
        """As :func:`unisono.max`."""
        return _reductions.max(a, axis, keepdims, self, out, initial=initial, where=where)

    def argmin(self, a, axis=None, keepdims=False, out=None):
        """As :func:`unisono.argmin`."""
        return _reductions.argmin(a, axis, keepdims, self, out)

    def argmax(self, a, axis=None, keepdims=False, out=None):
        """As :func:`unisono.argmax`."""
        return _reductions.argmax(a, axis, keepdims, self, out)

    def any(self, a, axis=None, keepdims=False, out=None, *, where=None):
        """As :func:`unisono.any`."""
        return _reductions.any(a, axis, keepdims, self, out, where=where)

    def all(self, a, axis=None, keepdims=False, out=None, *, where=None):
        """As :func:`unisono.all`."""
        return _reductions.all(a, axis, keepdims, self, out, where=where)

    def count_nonzero(self, a, axis=None, keepdims=False, out=None, *, where=None):
        """As :func:`unisono.count_nonzero`."""
        return _reductions.count_nonzero(a, axis, keepdims, self, out, where=where)

    def var(self, a, axis=None, keepdims=False, out=None, *, ddof=0, dtype=None, where=None):
        """As :func:`unisono.var`."""
        return _reductions.var(a, axis, keepdims, self, out, ddof=ddof, dtype=dtype, where=where)

    def std(self, a, axis=None, keepdims=False, out=None, *, ddof=0, dtype=None, where=None):
        """As :func:`unisono.std`."""
        return _reductions.std(a, axis, keepdims, self, out, ddof=ddof, dtype=dtype, where=where)

    def ptp(self, a, axis=None, keepdims=False, out=None, *, overflow="error"):
        """As :func:`unisono.ptp`."""
        return _reductions.ptp(a, axis, keepdims, self, out, overflow=overflow)

    def nansum(self, a, axis=None, keepdims=False, out=None, *, dtype=None, initial=None, where=None):
        """As :func:`unisono.nansum`."""
        return _reductions.nansum(a, axis, keepdims, self, out, dtype=dtype, initial=initial, where=where)

    def nanprod(self, a, axis=None, keepdims=False, out=None, *, initial=None, where=None):
        """As :func:`unisono.nanprod`."""
        return _reductions.nanprod(a, axis, keepdims, self, out, initial=initial, where=where)

    def nanmean(self, a, axis=None, keepdims=False, out=None, *, dtype=None, where=None):
        """As :func:`unisono.nanmean`."""
        return _reductions.nanmean(a, axis, keepdims, self, out, dtype=dtype, where=where)

    def nanvar(self, a, axis=None, keepdims=False, out=None, *, ddof=0, dtype=None, where=None):
        """As :func:`unisono.nanvar`."""
        return _reductions.nanvar(a, axis, keepdims, self, out, ddof=ddof, dtype=dtype, where=where)

    def nanstd(self, a, axis=None, keepdims=False, out=None, *, ddof=0, dtype=None, where=None):
        """As :func:`unisono.nanstd`."""
        return _reductions.nanstd(a, axis, keepdims, self, out, ddof=ddof, dtype=dtype, where=where)

    def nanmin(self, a, axis=None, keepdims=False, out=None, *, initial=None, where=None):
        """As :func:`unisono.nanmin`."""
        return _reductions.nanmin(a, axis, keepdims, self, out, initial=initial, where=where)

    def nanmax(self, a, axis=None, keepdims=False, out=None, *, initial=None, where=None):
        """As :func:`unisono.nanmax`."""
        return _reductions.nanmax(a, axis, keepdims, self, out, initial=initial, where=where)

    def nanargmin(self, a, axis=None, keepdims=False, out=None):
        """As :func:`unisono.nanargmin`."""
        return _reductions.nanargmin(a, axis, keepdims, self, out)

    def nanargmax(self, a, axis=None, keepdims=False, out=None):
        """As :func:`unisono.nanargmax`."""
        return _reductions.nanargmax(a, axis, keepdims, self, out)

    def norm(self, a, ord=2, axis=None, keepdims=False, out=None, *, dtype=None, where=None):
        """As :func:`unisono.norm`."""
        return _reductions.norm(a, ord, axis, keepdims, self, out, dtype=dtype, where=where)

    def vecdot(self, x1, x2, axis=-1, keepdims=False, out=None, *, dtype=None, overflow="error"):
        """As :func:`unisono.vecdot`."""
        return _reductions.vecdot(x1, x2, axis, keepdims, self, out, dtype=dtype, overflow=overflow)

    def dot(self, x1, x2, *, dtype=None, overflow="error"):
        """As :func:`unisono.dot`."""
        return _reductions.dot(x1, x2, self, dtype=dtype, overflow=overflow)

    def cumsum(self, a, axis=None, out=None, *, exclusive=False, reverse=False, wrapping=False):
        """As :func:`unisono.cumsum`."""
        return _order.cumsum(a, axis, self, out, exclusive=exclusive, reverse=reverse, wrapping=wrapping)

    def cumprod(self, a, axis=None, out=None, *, exclusive=False, reverse=False, wrapping=False):
        """As :func:`unisono.cumprod`."""
        return _order.cumprod(a, axis, self, out, exclusive=exclusive, reverse=reverse, wrapping=wrapping)

    def cummax(self, a, axis=None, out=None, *, reverse=False):
        """As :func:`unisono.cummax`."""
        return _order.cummax(a, axis, self, out, reverse=reverse)

    def cummin(self, a, axis=None, out=None, *, reverse=False):
        """As :func:`unisono.cummin`."""
        return _order.cummin(a, axis, self, out, reverse=reverse)

    def cumulative_sum(self, x, /, *, axis=None, include_initial=False, out=None):
        """As :func:`unisono.cumulative_sum`."""
        return _order.cumulative_sum(x, axis=axis, include_initial=include_initial, device=self, out=out)

    def cumulative_prod(self, x, /, *, axis=None, include_initial=False, out=None):
        """As :func:`unisono.cumulative_prod`."""
        return _order.cumulative_prod(x, axis=axis, include_initial=include_initial, device=self, out=out)

    def median(self, a, axis=None, keepdims=False, out=None):
        """As :func:`unisono.median`."""
        return _order.median(a, axis, keepdims, self, out)

    def nanmedian(self, a, axis=None, keepdims=False, out=None):
        """As :func:`unisono.nanmedian`."""
        return _order.nanmedian(a, axis, keepdims, self, out)

    def quantile(self, a, q, axis=None, keepdims=False, out=None, *, method="linear"):
        """As :func:`unisono.quantile`."""
        return _order.quantile(a, q, axis, keepdims, self, out, method=method)

    def nanquantile(self, a, q, axis=None, keepdims=False, out=None, *, method="linear"):
        """As :func:`unisono.nanquantile`."""
        return _order.nanquantile(a, q, axis, keepdims, self, out, method=method)

    def percentile(self, a, q, axis=None, keepdims=False, out=None, *, method="linear"):
        """As :func:`unisono.percentile`."""
        return _order.percentile(a, q, axis, keepdims, self, out, method=method)

    def nanpercentile(self, a, q, axis=None, keepdims=False, out=None, *, method="linear"):
        """As :func:`unisono.nanpercentile`."""
        return _order.nanpercentile(a, q, axis, keepdims, self, out, method=method)

    def topk(self, a, k, axis=-1, largest=True):
        """As :func:`unisono.topk`."""
        return _order.topk(a, k, axis, largest, self)

    def logsumexp(self, a, axis=None, b=None, keepdims=False, return_sign=False):
        """As :func:`unisono.logsumexp`."""
        return _order.logsumexp(a, axis, b, keepdims, return_sign, self)

    def histogram(self, a, bins=10, range=None, weights=None, density=False):
        """As :func:`unisono.histogram`."""
        return _group.histogram(a, bins, range, weights, density, self)

    def bincount(self, x, weights=None, minlength=0):
        """As :func:`unisono.bincount`."""
        return _group.bincount(x, weights, minlength, self)

    def sum_by_label(self, values, labels, index=None):
        """As :func:`unisono.sum_by_label`."""
        return _group.sum_by_label(values, labels, index, self)

    def mean_by_label(self, values, labels, index=None):
        """As :func:`unisono.mean_by_label`."""
        return _group.mean_by_label(values, labels, index, self)

    def min_by_label(self, values, labels, index=None):
        """As :func:`unisono.min_by_label`."""
        return _group.min_by_label(values, labels, index, self)

    def max_by_label(self, values, labels, index=None):
        """As :func:`unisono.max_by_label`."""
        return _group.max_by_label(values, labels, index, self)

    def argmin_by_label(self, values, labels, index=None):
        """As :func:`unisono.argmin_by_label`."""
        return _group.argmin_by_label(values, labels, index, self)

    def argmax_by_label(self, values, labels, index=None):
        """As :func:`unisono.argmax_by_label`."""
        return _group.argmax_by_label(values, labels, index, self)

    def count_by_label(self, labels, index=None):
        """As :func:`unisono.count_by_label`."""
        return _group.count_by_label(labels, index, self)

    def gaussian_filter1d(
        self, input, sigma, axis=-1, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None, nan="propagate"
    ):
        """As :func:`unisono.gaussian_filter1d`."""
        return _filters.gaussian_filter1d(
            input, sigma, axis, order, output, mode, cval, truncate, radius=radius, nan=nan, device=self
        )

    def gaussian_filter(
        self, input, sigma, order=0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, radius=None, axes=None, nan="propagate"
    ):
        """As :func:`unisono.gaussian_filter`."""
        return _filters.gaussian_filter(
            input, sigma, order, output, mode, cval, truncate, radius=radius, axes=axes, nan=nan, device=self
        )

    def uniform_filter1d(
        self, input, size, axis=-1, output=None, mode="reflect", cval=0.0, origin=0, *, nan="propagate"
    ):
        """As :func:`unisono.uniform_filter1d`."""
        return _filters.uniform_filter1d(input, size, axis, output, mode, cval, origin, nan=nan, device=self)

    def uniform_filter(
        self, input, size=3, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None, nan="propagate"
    ):
        """As :func:`unisono.uniform_filter`."""
        return _filters.uniform_filter(
            input, size, output, mode, cval, origin, axes=axes, nan=nan, device=self
        )

    def correlate1d(
        self, input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0, *, nan="propagate"
    ):
        """As :func:`unisono.correlate1d`."""
        return _filters.correlate1d(input, weights, axis, output, mode, cval, origin, nan=nan, device=self)

    def convolve1d(
        self, input, weights, axis=-1, output=None, mode="reflect", cval=0.0, origin=0, *, nan="propagate"
    ):
        """As :func:`unisono.convolve1d`."""
        return _filters.convolve1d(input, weights, axis, output, mode, cval, origin, nan=nan, device=self)

    def convolve_separable(
        self, input, factors, output=None, mode="reflect", cval=0.0, origin=0, *, axes=None, nan="propagate"
    ):
        """As :func:`unisono.convolve_separable`."""
        return _filters.convolve_separable(
            input, factors, output, mode, cval, origin, axes=axes, nan=nan, device=self
        )

    def sobel(self, input, axis=-1, output=None, mode="reflect", cval=0.0):
        """As :func:`unisono.sobel`."""
        return _filters.sobel(input, axis, output, mode, cval, device=self)

    def prewitt(self, input, axis=-1, output=None, mode="reflect", cval=0.0):
        """As :func:`unisono.prewitt`."""
        return _filters.prewitt(input, axis, output, mode, cval, device=self)

    def laplace(self, input, output=None, mode="reflect", cval=0.0, *, axes=None):
        """As :func:`unisono.laplace`."""
        return _filters.laplace(input, output, mode, cval, axes=axes, device=self)

    def gaussian_laplace(
        self, input, sigma, output=None, mode="reflect", cval=0.0, *, axes=None, truncate=4.0, radius=None
    ):
        """As :func:`unisono.gaussian_laplace`."""
        return _filters.gaussian_laplace(
            input, sigma, output, mode, cval, axes=axes, truncate=truncate, radius=radius, device=self
        )

    def gaussian_gradient_magnitude(
        self, input, sigma, output=None, mode="reflect", cval=0.0, *, axes=None, truncate=4.0, radius=None
    ):
        """As :func:`unisono.gaussian_gradient_magnitude`."""
        return _filters.gaussian_gradient_magnitude(
            input, sigma, output, mode, cval, axes=axes, truncate=truncate, radius=radius, device=self
        )

    def unsharp_mask(
        self, input, radius=1.0, amount=1.0, output=None, mode="reflect", cval=0.0, truncate=4.0, *, channel_axis=None, axes=None
    ):
        """As :func:`unisono.unsharp_mask`."""
        return _filters.unsharp_mask(
            input, radius, amount, output, mode, cval, truncate, channel_axis=channel_axis, axes=axes, device=self
        )

    def pi(self, samples, seed=0, start=0, *, method="plain", bits=None):
        """As :func:`unisono.pi`."""
        return _functions.pi(samples, seed, self, start, method=method, bits=bits)

    def map(self, expr, arrays=None, /, *, dtype=None, out=None, **named):
        """As :func:`unisono.map`."""
        return _functions.map(expr, arrays, device=self, dtype=dtype, out=out, **named)

    def map_reduce(self, expr, op, arrays=None, /, *, dtype=None, **named):
        """As :func:`unisono.map_reduce`."""
        return _functions.map_reduce(expr, op, arrays, device=self, dtype=dtype, **named)

    def integrate(
        self,
        expr,
        bounds,
        samples=2**20,
        *,
        seed=0,
        absolute_error=0.0,
        relative_error=0.0,
        round=None,
        params=None,
        dtype="float32",
        method="plain",
        start=0,
    ):
        """As :func:`unisono.integrate`."""
        return _functions.integrate(
            expr,
            bounds,
            samples,
            seed=seed,
            absolute_error=absolute_error,
            relative_error=relative_error,
            round=round,
            params=params,
            dtype=dtype,
            method=method,
            start=start,
            device=self,
        )
