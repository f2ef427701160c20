"""Every mistake is an exception that says what was given and what was expected."""

import errno

import numpy as np
import pytest

import unisono

X = np.ones((3, 4))
BOX = {"x": (0, 1)}


@pytest.mark.parametrize(
    ("error", "text", "call"),
    [
        (ValueError, 'mode: got "middle", expected full, same or valid', lambda: unisono.convolve(X, X, "middle")),
        (ValueError, 'boundary: got "round"', lambda: unisono.convolve(X, X, boundary="round")),
        (ValueError, "3", lambda: unisono.convolve(X, X, boundary=["wrap"] * 3)),
        (ValueError, "4", lambda: unisono.convolve(X, X, ndim=4)),
        (ValueError, "kernel", lambda: unisono.convolve(X, np.ones((0, 2)))),
        (ValueError, "valid", lambda: unisono.convolve(X, np.ones((5, 1)), "valid")),
        (ValueError, "axis: got 2, expected an axis of an array of rank 2", lambda: unisono.sum(X, 2)),
        (ValueError, r"axes: got \[0, -2\], expected every axis once", lambda: unisono.sum(X, (0, -2))),
        (ValueError, "at least one element", lambda: unisono.argmin([])),
        (ValueError, "samples: got 0, expected at least 1", lambda: unisono.pi(0)),
        (ValueError, "samples", lambda: unisono.pi(2**63, start=2**63)),
        (ValueError, "samples: got -1, expected 0 to", lambda: unisono.pi(-1)),
        (ValueError, "samples: got 1.5, expected a whole number", lambda: unisono.pi(1.5)),
        (ValueError, "samples: got inf, expected a whole number", lambda: unisono.integrate("x", BOX, np.inf)),
        (ValueError, "samples: got 1000000000000000000000, expected 0 to", lambda: unisono.integrate("x", BOX, 10**21)),
        (TypeError, "samples: got '9', expected an integer", lambda: unisono.pi("9")),
        (ValueError, "seed: got -1, expected 0 to", lambda: unisono.pi(10, seed=-1)),
        (TypeError, "seed: got 1.0, expected an integer", lambda: unisono.pi(10, seed=1.0)),
        (ValueError, "seed: got -1, expected 0 to", lambda: unisono.integrate("x", BOX, 9, seed=-1)),
        (ValueError, "seed: got -1, expected 0 to", lambda: unisono.MonteCarloState(-1)),
        (ValueError, f"seed: got {2**64}, expected 0 to", lambda: unisono.IntegralState("x", BOX, seed=2**64)),
        (ValueError, "start: got -5, expected 0 to", lambda: unisono.pi(10, start=-5)),
        (ValueError, "start: got -5, expected 0 to", lambda: unisono.integrate("x", BOX, 9, start=-5)),
        (ValueError, "round: got -1, expected 0 to", lambda: unisono.integrate("x", BOX, 9, round=-1)),
        (ValueError, "end: got -1, expected 0 to", lambda: unisono.MonteCarloState().extend(-1)),
        (ValueError, "end: got -1, expected 0 to", lambda: unisono.IntegralState("x", BOX).missing(-1)),
        (ValueError, "bits: got -1, expected 16 or 32", lambda: unisono.pi(10, bits=-1)),
        (TypeError, "keepdims: got <class 'numpy.float32'>, expected True or False", lambda: unisono.sum(X, 0, np.float32)),
        (TypeError, "keepdims: got 'cpu', expected True or False", lambda: unisono.quantile(X, 0.5, 0, "cpu")),
        (ValueError, "ord: got 'fro', expected a number, inf or -inf", lambda: unisono.norm(X, "fro")),
        (ValueError, "ord: got 1, expected None: sum takes none", lambda: unisono.reduce_chunks([X], "sum", ord=1)),
        (ValueError, "ddof of sum: got 1, expected 0", lambda: unisono.reduce_chunks([X], "sum", ddof=1)),
        (ValueError, "where: got fewer masks than chunks", lambda: unisono.reduce_chunks([X, X], where=[X > 0])),
        (ValueError, "where: got more masks than chunks", lambda: unisono.reduce_chunks([X], where=[X > 0, X > 0])),
        (ValueError, "axis: got 1, expected one of axes, .0.", lambda: unisono.sobel(X, axes=0)),
        (ValueError, "ddof: got -1, expected 0 to", lambda: unisono.var(X, ddof=-1)),
        (ValueError, f"ddof: got {2**64}, expected 0 to", lambda: unisono.std(X, ddof=2**64)),
        (ValueError, "ddof: got -1, expected 0 to", lambda: unisono.reduce_chunks([X], "var", ddof=-1)),
        (ValueError, "ddof: got -1, expected 0 to", lambda: unisono.var_by_label(X, 1, ddof=-1)),
        (ValueError, "ddof: got -1, expected 0 to", lambda: unisono.LabelPartials(X, X.astype(int), "var", ddof=-1)),
        (ValueError, "ddof: got -1, expected 0 to", lambda: unisono.Moments().var(-1)),
        (ValueError, "ddof: got -1, expected 0 to", lambda: unisono.Moments().std(-1)),
        (ValueError, "count: got -1, expected 0 to", lambda: unisono.ExactSum().mean(-1)),
        (ValueError, "k: got -1, expected 0 to", lambda: unisono.topk(X, -1)),
        (ValueError, "minlength: got -1, expected 0 to", lambda: unisono.bincount([1], minlength=-1)),
        (ValueError, f"initial: got {2**200}, expected", lambda: unisono.sum(X.astype("f4"), initial=2**200)),
        (ValueError, f"axis: got {2**70}, expected", lambda: unisono.sum(X, axis=2**70)),
        (ValueError, f"axis: got {2**70}, expected", lambda: unisono.cumsum(X, axis=2**70)),
        (ValueError, f"axis: got {-2**70}, expected", lambda: unisono.topk(X, 1, -(2**70))),
        (ValueError, "index: .*, expected labels from -2.63 to 2.63 - 1", lambda: unisono.sum_by_label(X, 1, np.uint64(2**63))),
        (ValueError, "index: .*, expected labels", lambda: unisono.LabelPartials(X, X.astype(int), "sum", [2**63])),
        (TypeError, "index: got 1, expected a sequence of integers", lambda: unisono.LabelPartials(X, 1, "sum", 1)),
        (ValueError, "index: .*, expected labels", lambda: unisono.histogram_by_label(X, 2, 1, [1, -(2**63) - 1])),
        (ValueError, r"edges\[1\]: got 0 after 1, expected", lambda: unisono.Histogram([1, 0])),
        (ValueError, r"edges\[2\]: got NaN after 1, expected", lambda: unisono.Histogram([0, 1, np.nan])),
        (ValueError, "second array: got shape .1., expected shape .2.", lambda: unisono.ExactDot().add([1.0, 2.0], [2.0])),
        (TypeError, "chunk: got dtype int64, expected float32", lambda: unisono.reduce_chunks([np.zeros(0, "f4"), [1]], "max")),
        (ValueError, "chunk: got .1, 2., expected", lambda: unisono.reduce_chunks([np.zeros((0, 3)), np.ones((1, 2))], "max", 0)),
        (ValueError, "chunks: got no elements", lambda: unisono.reduce_chunks([np.zeros(0)], "max")),
        (ValueError, "chunks: got none", lambda: unisono.reduce_chunks([], "max")),
        (ValueError, "start: got 5, expected 0 with vegas", lambda: unisono.integrate("x", BOX, 9, start=5, method="vegas")),
        (ValueError, "samples: got 9, expected at least", lambda: unisono.integrate("x", BOX, 9, method="vegas")),
        (TypeError, "sum: got dtype complex128, expected a real dtype", lambda: unisono.sum([1j])),
        (TypeError, "array: got dtype object", lambda: unisono.sum([None])),
        (TypeError, "array: got dtype float16, .* int64, float32 or float64$", lambda: unisono.sum(np.ones(3, np.float16))),
        (TypeError, "x: got dtype float16, .* int64, float32 or float64$", lambda: unisono.map("x", x=np.ones(3, np.float16))),
        (TypeError, "array: got dtype float16, .* uint64 or int64$", lambda: unisono.bincount(np.ones(3, np.float16))),
        (TypeError, "labels: got dtype float16, .* uint64 or int64$", lambda: unisono.sum_by_label(X, X.astype("f2"))),
        (TypeError, "images: got dtype float16, .* complex64 or complex128$", lambda: unisono.convolve(X.astype("f2"), X)),
        (TypeError, "out: got dtype float16, expected that of the result", lambda: unisono.sum(X, out=np.zeros((), "f2"))),
        (TypeError, "kernels: got dtype <U1", lambda: unisono.convolve(X, "k")),
        (TypeError, "images: got dtype datetime64", lambda: unisono.convolve(np.zeros((2, 2), "M8[s]"), X)),
        (ValueError, "fill_value: got 9007199254740993", lambda: unisono.convolve(X, X, fill_value=2**53 + 1)),
        (ValueError, "fill_value: got 1000000", lambda: unisono.convolve(X, X, fill_value=10**400)),
        (TypeError, "out_dtype: got dtype float16", lambda: unisono.convolve(X, X, out_dtype="float16")),
        (TypeError, "", lambda: unisono.sum(X, axis=1.5)),
        (TypeError, "device: got int, expected a device's text or a Backend", lambda: unisono.sum(X, device=0)),
        (ValueError, 'device: got "tpu", expected auto, cpu', lambda: unisono.sum(X, device="tpu")),
        (ValueError, "CPU threads: got 0, expected 1 to", lambda: unisono.Backend("cpu:0")),
        (ValueError, 'device "gpu:99" cannot be used: ', lambda: unisono.Backend("gpu:99")),
        (ValueError, 'device "gpu:No Such Maker" cannot be used: ', lambda: unisono.Backend("gpu:No Such Maker")),
    ],
)
def test_message(error, text, call):
    with pytest.raises(error, match=text):
        call()


def test_the_environment_variable(monkeypatch):
    monkeypatch.setenv("UNISONO_DEVICE", "cpu:1")
    assert unisono.Backend().info.threads == 1
    monkeypatch.setenv("UNISONO_DEVICE", "gpu:99")
    with pytest.raises(ValueError, match="gpu:99"):
        unisono.sum(X)
    assert unisono.sum(X, device="cpu") == 12
    monkeypatch.setenv("UNISONO_DEVICE", "nonsense")
    with pytest.raises(ValueError, match="nonsense"):
        unisono.sum(X)
    monkeypatch.delenv("UNISONO_DEVICE")
    assert unisono.sum(X) == 12


def test_samples_may_be_whole_floats():
    assert unisono.pi(1e4, start=2e2) == unisono.pi(10_000, start=200)
    assert unisono.integrate("x", BOX, 1e4).samples == 10_000
    state = unisono.MonteCarloState()
    state.extend(1e4)
    assert state.samples == 10_000 and state.missing(np.float64(2e4)) == [(10_000, 20_000)]


@pytest.mark.parametrize("kind", [unisono.MonteCarloState, unisono.IntegralState])
def test_files_fail_as_pythons(tmp_path, kind):
    path = tmp_path / "none"
    with pytest.raises(FileNotFoundError) as caught:
        kind.load(path)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(path))
    assert "os error" not in caught.value.strerror
    with pytest.raises(OSError, match="it names no file"):
        unisono.MonteCarloState().save("/")
