"""Arrays that stay where they were computed."""

import copy
import operator
import pickle

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


def test_out_is_checked(device):
    backend = unisono.Backend(device)
    x = np.arange(6.0, dtype=np.float32).reshape(2, 3)
    calls = [
        ((3,), lambda a, out: backend.sum(a, 0, out=out)),
        ((3,), lambda a, out: backend.sum(a, 0, where=[[True], [False]], out=out)),
        ((2,), lambda a, out: backend.vecdot(a, a, out=out)),
        ((2, 3), lambda a, out: backend.cumsum(a, 0, out=out)),
        ((), lambda a, out: backend.median(a, out=out)),
        ((2, 3), lambda a, out: backend.quantile(a, [0.5, 1], 0, out=out)),
        ((2,), lambda a, out: backend.quantile(a, 1, 1, weights=[1, 2, 3], method="inverted_cdf", out=out)),
        ((2, 3), lambda a, out: backend.map("a + 1", a=a, out=out)),
        ((3, 4), lambda a, out: backend.convolve(a, np.ones((2, 2), np.float32), out=out)),
        ((2, 3), lambda a, out: backend.gaussian_filter(a, 1, output=out)),
    ]
    for shape, call in calls:
        a, before = backend.upload(x), np.arange(7, dtype=np.float32)
        out = backend.upload(before)
        with pytest.raises(ValueError, match=rf"output shape: got \[7\], expected \{list(shape)}"):
            call(a, out)
        assert np.array_equal(out.numpy(), before)
        if shape != x.shape:
            with pytest.raises(ValueError, match=r"output shape: got \[2, 3\]"):
                call(a, a)
            assert np.array_equal(a.numpy(), x)
        fits = backend.upload(np.zeros(shape, np.float32))
        assert call(a, fits) is fits and np.array_equal(fits.numpy(), np.asarray(call(a, None)))
    # An operand is replaced as a whole.
    a = backend.upload(x)
    assert backend.cumsum(a, 1, out=a) is a and np.array_equal(a.numpy(), x.cumsum(1))


def test_out_after_an_error(device):
    backend = unisono.Backend(device)
    large = np.full((2, 3), 2**62)
    a, out = backend.upload(large), backend.upload(np.ones(3, int))
    for call in (lambda: backend.sum(a, 5, out=out), lambda: backend.mean(a, 0, out=out), lambda: backend.sum([None], 0, out=out)):
        with pytest.raises((ValueError, TypeError)):
            call()
        assert np.array_equal(out.numpy(), [1, 1, 1])
    # What was written over is gone, but not the array.
    with pytest.raises(ValueError, match="does not fit"):
        backend.sum(a, 0, out=out)
    assert np.array_equal(out.numpy(), [0, 0, 0])
    assert np.array_equal(backend.sum(a, 0, overflow="wrap", out=out).numpy(), large.sum(0))
    with pytest.raises(ValueError, match="does not fit"):
        backend.cumsum(a, 0, out=a)
    assert np.array_equal(a.numpy(), large)


def test_host_arrays_beside_one(device):
    backend = unisono.Backend(device)
    x = np.arange(6.0).reshape(2, 3)
    a, ints = backend.upload(x), backend.upload(np.arange(3))
    dots = [
        ((a, [1, 2, 3]), x @ [1, 2, 3]),
        (([1, 2, 3], a), x @ [1, 2, 3]),
        ((ints, [0.5, 1.5, 2.5]), 6.5),
        ((ints, x), x @ np.arange(3)),
        ((x, ints), x @ np.arange(3)),
        ((backend.upload(x[:, :1]), backend.upload(np.ones((1, 3)))), x[:, 0] * 3),
    ]
    for pair, want in dots:
        got = backend.vecdot(*pair)
        assert isinstance(got, unisono.Array) and np.array_equal(got.numpy(), want)
    assert backend.dot(a, [1, 2, 3]).item() == x.sum(0) @ [1, 2, 3]
    for labels in ([1, 2, 1], backend.upload([1, 2, 1])):
        assert backend.sum_by_label(a, labels, [1, 2]).tolist() == [10, 5]
    assert backend.sum_by_label([1, 2, 4], backend.upload(np.ones((2, 3), int)), 1) == 14
    got = backend.quantile(a, [[0.1, 0.5]], axis=0)
    assert isinstance(got, unisono.Array) and np.array_equal(got.numpy(), unisono.quantile(x, [[0.1, 0.5]], axis=0))


def test_histograms_and_products_of_one(device):
    backend = unisono.Backend(device)
    x = np.arange(6.0)
    for bins in (3, "auto", [0, 2.5, 9]):
        for got, want in zip(backend.histogram(backend.upload(x), bins), np.histogram(x, bins)):
            np.testing.assert_array_equal(got, want)
    found, edges = backend.histogram_by_label(backend.upload(x), 2, backend.upload([1, 1, 2, 2, 1, 2]), [1, 2])
    assert found.tolist() == [[2, 1], [1, 2]] and edges.tolist() == [0, 2.5, 5]
    factors = backend.upload([2, 3])
    assert backend.prod(factors, dtype="float32").item() == 6
    assert np.array_equal(backend.cumprod(factors, dtype="float32").numpy(), np.array([2, 6], np.float32))
    indices = backend.argmax(backend.upload(np.eye(3)), 0)
    assert indices.dtype == np.uint64 and backend.argmax(backend.upload(np.eye(3)), 0, out=indices) is indices


def test_errors():
    x = unisono.upload([1.0, 2.0])
    with pytest.raises(ValueError, match=r"array for item\(\): got shape \(2,\), expected exactly one element"):
        x.item()
    with pytest.raises(TypeError, match="output: got dtype float64, expected bool"):
        unisono.any(x, axis=0, out=unisono.upload(0.0))
    with pytest.raises(ValueError, match="copy"):
        np.array(x, copy=False)
    assert repr(x) == "<unisono.Array shape=(2,) dtype=float64>"


def test_one_element_is_a_number(device):
    backend = unisono.Backend(device)
    x = backend.upload([[1.5, 2.0], [0.0, 4.0]])
    assert not backend.all(x) and backend.any(x)
    total = backend.sum(x)
    assert (float(total), int(total), complex(total), bool(total)) == (7.5, 7, 7.5, True)
    assert f"{total:.2f} {total}" == "7.50 7.5" and f"{x}" == repr(x)
    assert float(backend.upload([[2.5]])) == 2.5 and not backend.upload([0])
    most = backend.argmax(x)
    assert operator.index(most) == 3 and list(range(10))[most] == 3 and unisono.topk(range(5), most)[0].tolist() == [4, 3, 2]
    for shape in [(2,), (0,), (2, 2)]:
        many = backend.upload(np.ones(shape))
        with pytest.raises(ValueError, match=r"array for bool\(\): got shape \(.*\), which is ambiguous"):
            bool(many)
        for convert in (float, int, complex, operator.index, "{:.2f}".format):
            with pytest.raises(TypeError, match="got shape"):
                convert(many)
    for convert in (operator.index, "{:d}".format):
        with pytest.raises(TypeError, match=r"got shape \(1,\), expected no axes"):
            convert(backend.upload([1]))
    with pytest.raises(TypeError, match="integer"):
        operator.index(total)


def test_comparisons_are_numpys(device):
    x = np.array([[1, 2], [3, 4]])
    a, b = unisono.upload(x, device), unisono.upload(x.T, device)
    for compare in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
        for found, want in [(compare(a, b), compare(x, x.T)), (compare(a, 2), compare(x, 2)), (compare(x.T, a), compare(x.T, x))]:
            assert found.dtype == bool and np.array_equal(found, want)
    assert not np.any(a == None)  # noqa: E711
    with pytest.raises(ValueError, match="ambiguous"):
        assert a == b
    with pytest.raises(TypeError, match="unhashable"):
        hash(a)


def test_copies_and_pickles(device):
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    a = unisono.upload(x, device)
    copies = [copy.copy(a), copy.deepcopy(a)]
    assert all(one is not a and one.on_device == a.on_device for one in copies)
    unisono.map("a + 1", a=a, out=a, device=device)
    assert np.array_equal(a.numpy(), x + 1) and all(np.array_equal(one.numpy(), x) for one in copies)
    again = pickle.loads(pickle.dumps(a))
    assert isinstance(again, unisono.Array) and not again.on_device and again.dtype == x.dtype
    assert unisono.sum(again, device=device).item() == x.sum() + 6
    z = unisono.upload([1j], "cpu")
    assert complex(pickle.loads(pickle.dumps(z))) == 1j


def test_dot_products_go_where_they_should(device):
    backend = unisono.Backend(device)
    x = np.arange(3.0)
    for out in (np.empty(()), backend.upload(0.0)):
        assert backend.dot(x, x, out=out) is out and float(out) == 5
