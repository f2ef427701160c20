"""Arrays that stay where they were computed."""

import numpy as np
import pytest

import unisono


def test_operations_on_an_array_return_one(device):
    backend = unisono.Backend(device)
    image, bank = np.arange(42).reshape(6, 7), np.arange(12).reshape(2, 2, 3)
    x, k = backend.upload(image), backend.upload(bank)
    assert (x.shape, x.dtype, x.ndim, x.size) == ((6, 7), np.dtype("int64"), 2, 42)
    assert x.on_device == device.startswith("gpu")
    want = unisono.convolve(image, bank, device="cpu")
    for a, b in [(x, k), (x, bank), (image, k)]:
        y = backend.convolve(a, b)
        assert isinstance(y, unisono.Array)
        assert y.on_device == x.on_device
        np.testing.assert_array_equal(y.numpy(), want)
    rows = backend.sum(y, axis=2)
    np.testing.assert_array_equal(np.asarray(rows), want.sum(axis=2))
    assert backend.max(rows).item() == want.sum(axis=2).max()
    assert backend.argmax(y).item() == want.argmax()
    np.testing.assert_array_equal(np.asarray(x, dtype=float), image.astype(float))


def test_chains_move_nothing(device):
    if not device.startswith("gpu"):
        pytest.skip("the CPU shares the host's memory")
    backend = unisono.Backend(device)
    x, k = backend.upload(np.ones((64, 64), np.float32)), backend.upload(np.ones((3, 3), np.float32))
    before = backend.counters
    y = backend.convolve(backend.convolve(x, k, "same"), k, "same")
    moved = backend.counters.downloaded - before.downloaded
    assert moved < x.size * 4
    assert backend.counters.uploaded - before.uploaded < x.size * 4
    assert backend.sum(y).item() == unisono.sum(y.numpy(), device="cpu")


def test_out_reuses_an_array(device):
    backend = unisono.Backend(device)
    x = backend.upload(np.arange(9.0, dtype=np.float32).reshape(3, 3))
    k = np.ones((2, 2), np.float32)
    out = backend.convolve(x, k)
    want = out.numpy()
    for n in (2, 3):
        assert backend.convolve(x, n * k, out=out) is out
        np.testing.assert_array_equal(out.numpy(), n * want)
    host = np.empty((4, 4), np.float32)
    assert backend.convolve(x, k, out=host) is host
    np.testing.assert_array_equal(host, want)
    backend.convolve(out, np.ones((1, 1), np.float32), out=out)
    np.testing.assert_array_equal(out.numpy(), 3 * want)


def test_errors():
    x = unisono.upload([1.0, 2.0])
    with pytest.raises(ValueError, match=r"array for item\(\): got shape \(2,\), expected exactly one element"):
        x.item()
    with pytest.raises(TypeError, match="output: got dtype float64, expected bool"):
        unisono.any(x, axis=0, out=unisono.upload([0.0]))
    with pytest.raises(ValueError, match="copy"):
        np.array(x, copy=False)
    assert repr(x) == "<unisono.Array shape=(2,) dtype=float64>"
