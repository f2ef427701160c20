"""Batched convolution, exact reductions and Monte Carlo on every CPU and GPU, with one answer.

>>> import numpy as np
>>> import unisono
>>> image = np.arange(9.0).reshape(3, 3)
>>> sobel = np.array([[1.0, 0, -1], [2, 0, -2], [1, 0, -1]])
>>> unisono.convolve(image, sobel, mode="same", boundary="reflect")
array([[4., 8., 4.],
       [4., 8., 4.],
       [4., 8., 4.]])
>>> unisono.sum([1e100, 1.0, -1e100])
np.float64(1.0)

**Devices.** Every function takes ``device``: ``"auto"`` (the best one by measurement, or what the environment variable
``UNISONO_DEVICE`` names), ``"cpu"``, ``"cpu:4"`` (threads), ``"gpu"`` (``"gpu:0"``), ``"gpu:1"``, ``"gpu:NVIDIA"`` (part
of a name), ``"all"``, several joined by ``+``, or a :class:`Backend`. :func:`devices` lists them. A device is opened at
its first use in a process; forked children open their own.

**Arrays.** Anything :func:`numpy.asarray` takes, of dtype bool, (u)int8 to (u)int64, float32 or float64 (convolution: complex64
and complex128 too), with any strides and at most 32 axes; masked arrays are refused. On the CPU nothing is copied (except
byte-swapped and unaligned arrays, and bools whose bytes are not 0 or 1). ``out`` is a writable array of the result's shape and
dtype with any strides that shares no memory with the operands. The GIL is released while the work runs, so no other thread may
write to the arguments of a call or use its ``out``.

An :class:`Array` stays where it was computed: what is computed of one elementwise, by convolution, along axes or over all of them
is one, and on a GPU nothing is moved in between; one that is ``out`` may be an operand too. :func:`map_reduce`,
:func:`reduce_chunks`, :func:`histogram`, :func:`bincount` and all that is by label bring their results to the host.

**Errors.** ``ValueError`` for arguments, devices and results that do not fit, ``TypeError`` for dtypes, ``OSError`` (such as
``FileNotFoundError``) for files, ``RuntimeError`` for failures of a device.
"""

from . import random
from ._backend import Backend, Counters, Device, devices
from ._filters import (
    box_blur,
    convolve1d,
    convolve_separable,
    correlate1d,
    gaussian_filter,
    gaussian_filter1d,
    gaussian_gradient_magnitude,
    gaussian_laplace,
    laplace,
    prewitt,
    sobel,
    uniform_filter,
    uniform_filter1d,
    unsharp_mask,
)
from ._functions import Pi, convolve, correlate, explain_convolve, integrate, map, map_reduce, pi, upload
from ._reductions import (
    all,
    any,
    argmax,
    argmin,
    count_nonzero,
    dot,
    max,
    mean,
    min,
    nanargmax,
    nanargmin,
    nanmax,
    nanmean,
    nanmin,
    nanprod,
    nanstd,
    nansum,
    nanvar,
    norm,
    prod,
    ptp,
    reduce_chunks,
    std,
    sum,
    var,
    vecdot,
)
from ._order import (
    cummax,
    cummin,
    cumprod,
    cumsum,
    cumulative_prod,
    cumulative_sum,
    logsumexp,
    median,
    nancumprod,
    nancumsum,
    nanmedian,
    nanpercentile,
    nanquantile,
    percentile,
    quantile,
    topk,
)
from ._group import (
    argmax_by_label,
    argmin_by_label,
    bincount,
    count_by_label,
    extrema_by_label,
    histogram,
    histogram_by_label,
    max_by_label,
    max_position_by_label,
    mean_by_label,
    median_by_label,
    min_by_label,
    min_position_by_label,
    std_by_label,
    sum_by_label,
    var_by_label,
)
from ._unisono import Array, ExactDot, ExactSum, Histogram, Integral, IntegralState, LabelPartials, MinMax, Moments, MonteCarloState, Wgsl, __version__

__all__ = [
    "Array",
    "Backend",
    "Counters",
    "Device",
    "ExactDot",
    "ExactSum",
    "Histogram",
    "Integral",
    "IntegralState",
    "LabelPartials",
    "MinMax",
    "Moments",
    "MonteCarloState",
    "Pi",
    "Wgsl",
    "__version__",
    "all",
    "any",
    "argmax",
    "argmax_by_label",
    "argmin",
    "argmin_by_label",
    "bincount",
    "box_blur",
    "convolve",
    "convolve1d",
    "convolve_separable",
    "correlate",
    "correlate1d",
    "count_by_label",
    "count_nonzero",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "cumulative_prod",
    "cumulative_sum",
    "devices",
    "dot",
    "explain_convolve",
    "extrema_by_label",
    "gaussian_filter",
    "gaussian_filter1d",
    "gaussian_gradient_magnitude",
    "gaussian_laplace",
    "histogram",
    "histogram_by_label",
    "integrate",
    "laplace",
    "logsumexp",
    "map",
    "map_reduce",
    "max",
    "max_by_label",
    "max_position_by_label",
    "mean",
    "mean_by_label",
    "median",
    "median_by_label",
    "min",
    "min_by_label",
    "min_position_by_label",
    "nanargmax",
    "nanargmin",
    "nancumprod",
    "nancumsum",
    "nanmax",
    "nanmean",
    "nanmedian",
    "nanmin",
    "nanpercentile",
    "nanprod",
    "nanquantile",
    "nanstd",
    "nansum",
    "nanvar",
    "norm",
    "percentile",
    "pi",
    "prewitt",
    "prod",
    "ptp",
    "quantile",
    "random",
    "reduce_chunks",
    "sobel",
    "std",
    "std_by_label",
    "sum",
    "sum_by_label",
    "topk",
    "uniform_filter",
    "uniform_filter1d",
    "unsharp_mask",
    "upload",
    "var",
    "var_by_label",
    "vecdot",
]
