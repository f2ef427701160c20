"""Devices: listing them, and the handle that remembers one."""

import inspect
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
    """A device, opened: its methods are the functions of the package that take a ``device``, without it.

    Cheap to make again (a device is opened once per process), usable from any thread, and picklable: an unpickled
    backend, or one that a forked child inherited, opens the device anew in its own process.

    Parameters
    ----------
    device : str
        As ``device`` everywhere.
    memory_limit : int, optional
        Bytes that an operation may take on each device, beside the arrays that lie there already. A GPU computes what does not
        fit piece by piece and streams it, and brings results that would take too much of it to the host; results do not depend
        on it, but for convolutions of floats within their bound. A limit too small makes the operation raise `ValueError`,
        which names one that would do.
    progress : callable, optional
        ``progress(done, total)`` is called some twenty times a second while a call is at work, on the thread that made the call,
        and once at its end with ``done == total``. The units are the operation's own (multiply-adds, elements, samples);
        ``total`` is 0 while it is not known, as in :func:`reduce_chunks`. What it raises stops the call. A pickled backend
        leaves it behind.

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
    >>> told = []
    >>> unisono.Backend("cpu", progress=lambda done, total: told.append((done, total))).sum(np.ones(1000))
    np.float64(1000.0)
    >>> told
    [(1000, 1000)]
    """

    __slots__ = ("device", "memory_limit", "progress")

    def __init__(self, device="auto", memory_limit=None, progress=None):
        progress = getattr(device, "progress", None) if progress is None else progress
        if not (progress is None or callable(progress)):
            raise TypeError(f"progress: got {type(progress).__name__}, expected a callable of the units done and those in all")
        if memory_limit is None:
            memory_limit = getattr(device, "memory_limit", None)
        elif not 0 < _filters._index("memory_limit", memory_limit) < 2**64:
            raise ValueError(f"memory_limit: got {memory_limit}, expected a positive number of bytes")
        else:
            memory_limit = _filters._index("memory_limit", memory_limit)
        object.__setattr__(self, "device", _unisono.open(device))
        object.__setattr__(self, "memory_limit", memory_limit)
        object.__setattr__(self, "progress", progress)

    def __setattr__(self, name, value):
        raise AttributeError(f"Backend is immutable: {name} cannot be set")

    def __repr__(self):
        limit = "" if self.memory_limit is None else f", memory_limit={self.memory_limit}"
        progress = "" if self.progress is None else f", progress={self.progress!r}"
        return f"unisono.Backend({self.device!r}{limit}{progress})"

    def __eq__(self, other):
        return isinstance(other, Backend) and self._known == other._known

    def __hash__(self):
        return hash((Backend, *self._known))

    @property
    def _known(self):
        return self.device, self.memory_limit, self.progress and id(self.progress)

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


def _method(function):
    """A function of the package as a method: its ``device`` is the backend."""
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())
    place = [parameter.name for parameter in parameters].index("device")
    by_position = parameters[place].kind is not inspect.Parameter.KEYWORD_ONLY

    def method(self, *args, **kwargs):
        if "device" in kwargs:
            raise TypeError(f"Backend.{function.__name__}() got an unexpected keyword argument 'device'")
        if by_position and len(args) > place:
            return function(*args[:place], self, *args[place:], **kwargs)
        return function(*args, device=self, **kwargs)

    first = inspect.Parameter("self", parameters[0].kind)
    method.__signature__ = signature.replace(parameters=[first, *parameters[:place], *parameters[place + 1 :]])
    method.__name__, method.__qualname__ = function.__name__, f"Backend.{function.__name__}"
    method.__doc__ = f"As :func:`unisono.{function.__name__}`."
    return method


for _function in (
    _functions.upload,
    _functions.convolve,
    _functions.correlate,
    _functions.explain_convolve,
    _functions.pi,
    _functions.map,
    _functions.map_reduce,
    _functions.integrate,
    _reductions.sum,
    _reductions.prod,
    _reductions.mean,
    _reductions.min,
    _reductions.max,
    _reductions.argmin,
    _reductions.argmax,
    _reductions.any,
    _reductions.all,
    _reductions.count_nonzero,
    _reductions.var,
    _reductions.std,
    _reductions.ptp,
    _reductions.nansum,
    _reductions.nanprod,
    _reductions.nanmean,
    _reductions.nanvar,
    _reductions.nanstd,
    _reductions.nanmin,
    _reductions.nanmax,
    _reductions.nanargmin,
    _reductions.nanargmax,
    _reductions.norm,
    _reductions.vecdot,
    _reductions.dot,
    _reductions.reduce_chunks,
    _order.cumsum,
    _order.cumprod,
    _order.nancumsum,
    _order.nancumprod,
    _order.cummax,
    _order.cummin,
    _order.cumulative_sum,
    _order.cumulative_prod,
    _order.median,
    _order.nanmedian,
    _order.quantile,
    _order.nanquantile,
    _order.percentile,
    _order.nanpercentile,
    _order.topk,
    _order.logsumexp,
    _group.histogram,
    _group.bincount,
    _group.sum_by_label,
    _group.mean_by_label,
    _group.var_by_label,
    _group.std_by_label,
    _group.median_by_label,
    _group.min_by_label,
    _group.max_by_label,
    _group.argmin_by_label,
    _group.argmax_by_label,
    _group.min_position_by_label,
    _group.max_position_by_label,
    _group.extrema_by_label,
    _group.histogram_by_label,
    _group.count_by_label,
    _filters.gaussian_filter1d,
    _filters.gaussian_filter,
    _filters.uniform_filter1d,
    _filters.uniform_filter,
    _filters.correlate1d,
    _filters.convolve1d,
    _filters.convolve_separable,
    _filters.sobel,
    _filters.prewitt,
    _filters.laplace,
    _filters.gaussian_laplace,
    _filters.gaussian_gradient_magnitude,
    _filters.unsharp_mask,
):
    setattr(Backend, _function.__name__, _method(_function))
del _function
