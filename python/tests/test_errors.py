"""Every mistake is an exception that says what was given and what was expected."""

import numpy as np
import pytest

import unisono

X = np.ones((3, 4))


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
        (OverflowError, "", lambda: unisono.pi(-1)),
        (TypeError, "sum: got dtype complex128, expected a real dtype", lambda: unisono.sum([1j])),
        (TypeError, "array: got dtype object", lambda: unisono.sum([None])),
        (TypeError, "array: got dtype float16", lambda: unisono.sum(np.ones(3, np.float16))),
        (TypeError, "kernels: got dtype <U1", lambda: unisono.convolve(X, "k")),
        (TypeError, "images: got dtype datetime64", lambda: unisono.convolve(np.zeros((2, 2), "M8[s]"), X)),
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
