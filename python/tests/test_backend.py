"""The handle, the list of devices, and pi."""

import inspect
import math
import pickle

import numpy as np
import pytest

import unisono
from oracle import convolved


def test_devices():
    devices = unisono.devices()
    assert devices[0].id == "cpu"
    assert devices[0].kind == "CPU"
    assert devices[0].threads >= 1
    assert [device.id for device in devices[1:]] == [f"gpu:{i}" for i in range(len(devices) - 1)]
    assert all(device.reason for device in devices)
    assert all(not device.auto for device in devices if device.kind == "software GPU")


def test_backend(device):
    backend = unisono.Backend(device)
    assert backend.info.id == device
    assert repr(backend) == f"unisono.Backend({device!r})"
    copy = pickle.loads(pickle.dumps(backend))
    assert copy == backend and hash(copy) == hash(backend)
    assert unisono.Backend(backend) == backend
    with pytest.raises(AttributeError):
        backend.device = "cpu"
    before = backend.counters.operations
    assert backend.sum([1, 2, 3]) == unisono.sum([1, 2, 3], device=backend) == 6
    assert backend.counters.operations >= before + 2


def test_progress_is_told_and_may_stop_the_call(device):
    told = []
    backend = unisono.Backend(device, progress=lambda *at: told.append(at))
    assert backend != unisono.Backend(device) and unisono.Backend(backend) == backend and "progress=" in repr(backend)
    assert pickle.loads(pickle.dumps(backend)) == unisono.Backend(device)
    backend.mean(np.ones((30, 50)))
    backend.convolve(np.ones((300, 300), "float32"), np.ones((5, 5), "float32"))
    assert all(0 <= done <= total or total == 0 for done, total in told)
    assert [at for at in told if at[0] == at[1]][0] == (1500, 1500) and told[-1][0] == told[-1][1] > 0
    told.clear()
    assert backend.reduce_chunks(np.ones((3, 2000)), "sum", axis=None) == 6000
    assert [at for at in told if at[0] % 2000 == 0] == [(2000, 0), (4000, 0), (6000, 0)]

    class Enough(Exception):
        pass

    def enough(done, total):
        told.append(done)
        if done > 0:
            raise Enough

    state = unisono.MonteCarloState(seed=1)
    with pytest.raises(Enough):
        state.extend(10**15, device=unisono.Backend(device, progress=enough))
    assert told[-1] > 0 and 0 <= state.samples < 10**15
    with pytest.raises(TypeError, match="progress: got int, expected a callable"):
        unisono.Backend(device, progress=3)


def test_methods_are_the_functions(device):
    backend = unisono.Backend(device)
    x, k = np.arange(20).reshape(4, 5), np.arange(6).reshape(2, 3)
    for name in ("sum", "prod", "mean", "min", "max", "argmin", "argmax", "any", "all", "count_nonzero"):
        function = getattr(unisono, name)
        np.testing.assert_array_equal(getattr(backend, name)(x, 1, True), function(x, 1, True, "cpu"))
    for name in ("convolve", "correlate"):
        got = getattr(backend, name)(x, k, "same", "reflect")
        np.testing.assert_array_equal(got, getattr(unisono, name)(x, k, "same", "reflect", device="cpu"))
    assert backend.pi(1000, seed=3) == unisono.pi(1000, seed=3, device="cpu")


def test_methods_have_the_functions_parameters():
    for name, method in inspect.getmembers(unisono.Backend, inspect.isfunction):
        if name.startswith("_"):
            continue
        ours = [p for p in inspect.signature(method).parameters.values() if p.name != "self"]
        theirs = [p for p in inspect.signature(getattr(unisono, name)).parameters.values() if p.name != "device"]
        assert ours == theirs, name


def test_every_way_to_name_devices(rng):
    gpus = [device.id for device in unisono.devices()[1:]]
    texts = ["auto", "cpu:1", "cpu:3", "cpu+cpu:2", "CPU", "all", *gpus, *(f"cpu+{gpu}" for gpu in gpus), "+".join(["cpu", *gpus])]
    x = np.ldexp(rng.standard_normal(200_003), rng.integers(-300, 300, 200_003))
    images, kernel = rng.integers(0, 100, (5, 30, 31)), rng.integers(0, 100, (4, 3))
    for text in texts:
        assert unisono.sum(x, device=text) == math.fsum(x), text
        assert unisono.argmax(x, device=text) == np.argmax(x), text
        want = [convolved(image, kernel, "full") for image in images]
        np.testing.assert_array_equal(unisono.convolve(images, kernel, device=text), want, err_msg=text)
        assert unisono.pi(300_001, 5, text) == unisono.pi(300_001, 5, "cpu"), text


def test_pi_is_the_same_everywhere(device):
    for samples, seed, start in [(1, 0, 0), (1_000_003, 42, 0), (100_000, 2**64 - 1, 2**33 + 3)]:
        got = unisono.pi(samples, seed, device, start)
        assert got == unisono.pi(samples, seed, "cpu", start)
        assert got.samples == samples
        assert got.estimate == 4 * got.hits / samples
    assert abs(got.estimate - np.pi) < 6 * got.standard_error


def test_pi_merges_exactly(device):
    whole = unisono.pi(500_000, seed=7, device=device)
    parts = [unisono.pi(100_000, 7, device, start) for start in range(0, 500_000, 100_000)]
    merged = parts[3]
    for part in (parts[0], parts[4], parts[1], parts[2]):
        merged = merged.merge(part)
    assert merged == whole


def test_pi_by_its_definition():
    """Philox4x32-10 in Python integers."""

    def philox(counter, key):
        c, k = list(counter), list(key)
        for _ in range(10):
            a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [b >> 32 ^ c[1] ^ k[0], b & 0xFFFFFFFF, a >> 32 ^ c[3] ^ k[1], a & 0xFFFFFFFF]
            k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
        return c

    def signed(half):
        return half - 0x10000 if half & 0x8000 else half

    seed, start, samples = 0x0123456789ABCDEF, 5 * 2**34 + 2, 4001
    hits = 0
    for s in range(start, start + samples):
        block = s // 4
        word = philox([block & 0xFFFFFFFF, block >> 32, 0, 0], [seed & 0xFFFFFFFF, seed >> 32])[s % 4]
        x, y = signed(word & 0xFFFF), signed(word >> 16)
        hits += x * (x + 1) + y * (y + 1) < 2**30
    assert unisono.pi(samples, seed, "cpu", start).hits == hits


def test_a_memory_limit_changes_no_result(device, rng):
    whole = unisono.Backend(device)
    limited = unisono.Backend(device, memory_limit=200_000)
    assert limited != whole and pickle.loads(pickle.dumps(limited)) == limited
    assert unisono.Backend(limited).memory_limit == 200_000 and "memory_limit=200000" in repr(limited)
    images, kernels = rng.integers(-99, 99, (2, 150, 160)), rng.integers(-99, 99, (3, 5, 4))
    want = whole.convolve(images, kernels, boundary="mirror")
    np.testing.assert_array_equal(limited.convolve(images, kernels, boundary="mirror"), want)
    np.testing.assert_array_equal(unisono.convolve(images, kernels, boundary="mirror", device=limited), want)
    image = rng.uniform(-1, 1, (300, 301)).astype(np.float32)
    np.testing.assert_array_equal(limited.gaussian_filter(image, 2.0), whole.gaussian_filter(image, 2.0))
    if device.startswith("gpu"):
        with pytest.raises(ValueError, match="memory limit: got 1000 bytes, expected at least"):
            unisono.Backend(device, 1000).convolve(images, kernels)
    with pytest.raises(ValueError, match="memory_limit"):
        unisono.Backend(device, 0)
