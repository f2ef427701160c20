"""Histograms, counts of integers and reductions by label against NumPy and SciPy."""

import copy
import math
import pickle

import numpy as np
import pytest

import unisono
from test_order import on, values
from test_reduce import DTYPES, INTEGERS, strided


@pytest.mark.parametrize("dtype", DTYPES)
def test_histograms(device, rng, dtype):
    for shape in [(1,), (17,), (1000,), (7, 11), (3, 1, 50)]:
        x = values(rng, shape, dtype)
        if dtype == "float64":
            x = rng.standard_normal(shape) * 3
        if dtype == "bool":
            # NumPy refuses to subtract them.
            edges = [0, 0.5, 1]
            got = on(device, unisono.histogram, x, edges)[0]
            assert got.tolist() == [int((~x).sum()), int(x.sum())]
            continue
        choices = [(10, None), (1, None), (7, (-2.0, 5.0)), (1000, (0.0, 1.0)), ([-3, -1, 0, 0, 2.5, 4], None), ([1.0, 1.0], None)]
        for bins, range_ in [*choices, ("auto", None)]:
            want, edges = np.histogram(x, bins, range_)
            for y in strided(x, rng):
                got, at = on(device, unisono.histogram, y, bins, range_)
                assert got.dtype == want.dtype and at.dtype == edges.dtype
                np.testing.assert_array_equal(at, edges)
                np.testing.assert_array_equal(got, want, err_msg=f"{shape} {bins} {range_}")
            if want.sum():
                got, _ = on(device, unisono.histogram, x, bins, range_, density=True)
                if not np.any(np.diff(edges) == 0):
                    # NumPy subtracts the edges of float32 in float32.
                    rtol = 1e-5 if edges.dtype == np.float32 else 0
                    np.testing.assert_allclose(got, np.histogram(x, bins, range_, density=True)[0], rtol=rtol)


def test_elements_on_edges(device, rng):
    """Every edge itself, and its neighbours: NumPy's rules bit for bit."""
    for dtype in ("float32", "float64"):
        for n in (3, 10, 49, 1000):
            low, high = sorted(rng.standard_normal(2) * 10.0 ** rng.integers(-3, 6))
            edges = np.linspace(low, high, n + 1).astype(dtype)
            x = np.concatenate([edges, np.nextafter(edges, np.inf, dtype=dtype), np.nextafter(edges, -np.inf, dtype=dtype)])
            x = np.concatenate([x, np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype=dtype)])
            for bins, range_ in [(n, (low, high)), (edges, None)]:
                want, _ = np.histogram(x[np.isfinite(x)] if range_ is None else x, bins, range_)
                np.testing.assert_array_equal(on(device, unisono.histogram, x, bins, range_)[0], want)
    for dtype in ("int64", "uint64"):
        info = np.iinfo(dtype)
        x = np.array([info.min, 0, 1, 2**53, 2**53 + 1, 2**53 + 2, info.max], dtype=dtype)
        for edges in ([0.0, 2.0**53, 2.0**63], [-1e300, 2.0**53 + 2, 1e300], [1e30, 2e30]):
            np.testing.assert_array_equal(on(device, unisono.histogram, x, edges)[0], np.histogram(x, edges)[0])


def test_weights_are_summed_exactly(device, rng):
    for n in (50, 70_000):
        x = rng.random(n)
        w = rng.standard_normal(n) * 10.0 ** rng.integers(-15, 15, n)
        for bins in (5, 300):
            got, edges = on(device, unisono.histogram, x, bins, (0.0, 1.0), w)
            place = np.clip(np.searchsorted(edges, x, "right") - 1, 0, bins - 1)
            assert got.tolist() == [math.fsum(w[place == i]) for i in range(bins)]
        labels = rng.integers(0, 9, n)
        got = on(device, unisono.bincount, labels, w, 12)
        assert got.tolist() == [math.fsum(w[labels == i]) for i in range(12)]
    got, _ = on(device, unisono.histogram, x, 4, None, (w > 0).astype(np.int8))
    assert got.dtype == np.int64
    assert on(device, unisono.histogram, x, 4, None, w.astype(np.float32))[0].dtype == np.float32
    with pytest.raises(ValueError, match="shape of the values"):
        on(device, unisono.histogram, x, 4, None, w[1:])


def test_histograms_of_nothing_and_errors(device):
    for empty in (np.zeros(0), np.zeros((0, 3), dtype=np.int16)):
        for bins in (10, [1, 2, 3]):
            got, edges = on(device, unisono.histogram, empty, bins)
            want = np.histogram(empty, bins)
            np.testing.assert_array_equal(got, want[0])
            np.testing.assert_array_equal(edges, want[1])
    with pytest.raises(ValueError):
        unisono.histogram([1.0, np.nan], 3, device=device)
    with pytest.raises(ValueError):
        unisono.histogram([1.0], 0, device=device)
    with pytest.raises(ValueError, match="descend"):
        unisono.histogram([1.0], [3, 2, 1], device=device)


def test_histograms_merge_and_travel(rng):
    x, w = rng.standard_normal(10_001), rng.standard_normal(10_001)
    edges = np.linspace(-3, 3, 20)
    whole, parts = unisono.Histogram(edges), unisono.Histogram(edges)
    whole.add(x, w)
    for chunk in np.array_split(rng.permutation(10_001), 7):
        part = unisono.Histogram(edges)
        part.add(x[chunk], w[chunk])
        parts.merge(pickle.loads(pickle.dumps(part)))
    assert parts == whole
    assert parts.to_bytes() == whole.to_bytes()
    np.testing.assert_array_equal(whole.counts, np.histogram(x, edges)[0])
    np.testing.assert_array_equal(whole.values, unisono.histogram(x, edges, weights=w)[0])
    np.testing.assert_allclose(whole.density, np.histogram(x, edges, weights=w, density=True)[0])
    empty = unisono.Histogram([0, 1])
    assert empty.counts.tolist() == [0]
    with pytest.raises(ValueError, match="same edges"):
        whole.merge(empty)
    with pytest.raises(ValueError, match="version"):
        unisono.Histogram.from_bytes(b"\x09" + whole.to_bytes()[1:])
    with pytest.raises(ValueError, match="bins"):
        unisono.Histogram.from_bytes(whole.to_bytes()[:-1])


def test_histograms_are_their_bytes():
    edges = [0.0, 1.0, 2.0]
    empty, outside, minus = unisono.Histogram(edges), unisono.Histogram(edges), unisono.Histogram([-0.0, 1.0, 2.0])
    outside.add([7.0])
    for same in (pickle.loads(pickle.dumps(empty)), copy.deepcopy(empty), outside, minus):
        assert same == empty and same.to_bytes() == empty.to_bytes()
        same.add([0.5], weights=[2.5])
        assert same.values.tolist() == [2.5, 0] and same != empty
        with pytest.raises(ValueError, match="weights: got none, expected floats"):
            same.add([0.5])
    weighted = unisono.Histogram(edges)
    weighted.add([], weights=np.zeros(0))
    assert weighted != empty and pickle.loads(pickle.dumps(weighted)) == weighted


def test_one_element_without_axes():
    assert unisono.min_position_by_label(5.0, 1, [1]) == [()] == unisono.max_position_by_label(5.0, 1, [1])
    assert unisono.min_position_by_label(5.0, 1) == ()
    assert unisono.extrema_by_label(5.0, 1, [1])[2:] == ([()], [()])


def test_bincounts(device, rng):
    for dtype in INTEGERS:
        for n in (0, 1, 300, 200_000):
            x = rng.integers(0, 100, n).astype(dtype)
            for least in (0, 5, 200):
                got = on(device, unisono.bincount, x, None, least)
                want = np.bincount(x.astype(np.int64), minlength=least)
                assert got.dtype == want.dtype
                np.testing.assert_array_equal(got, want)
    with pytest.raises(ValueError, match="negative"):
        unisono.bincount([1, -1], device=device)
    with pytest.raises(TypeError):
        unisono.bincount([1.0], device=device)


@pytest.mark.parametrize("dtype", DTYPES)
def test_labels(device, rng, dtype):
    ndimage = pytest.importorskip("scipy.ndimage")
    pairs = {
        "sum": ndimage.sum_labels,
        "mean": ndimage.mean,
        "var": ndimage.variance,
        "std": ndimage.standard_deviation,
        "median": ndimage.median,
        "min": ndimage.minimum,
        "max": ndimage.maximum,
    }
    for shape in [(40,), (6, 7), (3, 4, 50)]:
        x = values(rng, shape, dtype)
        # Software GPUs are slow.
        for label_dtype in rng.choice(INTEGERS, 2 if device == "cpu" else 1, replace=False):
            labels = rng.integers(0, 9, shape).astype(label_dtype)
            labels.flat[:9] = range(9)
            # 12 does not occur; 300 is no label of a byte.
            for index in (None, 3, [1, 2, 5], [7, 2, 12, 2], [300, 1], np.array([[1, 2], [3, 4]])):
                for name, scipy in pairs.items():
                    if index is None:
                        # SciPy takes the elements without a label with them where there is no index, but for sums.
                        inside = x[labels > 0]
                        if name in ("sum", "mean", "var", "std") and dtype != "float64":
                            inside = inside.astype(np.float64)
                        want = np.median(inside) if name == "median" else getattr(inside, name)()
                    elif name in ("var", "std", "median") and not set(np.ravel(index)) <= set(range(9)):
                        continue
                    else:
                        with np.errstate(all="ignore"):
                            # SciPy sums one group of float32 in float32.
                            exact = x.astype(np.float64) if dtype == "float32" else x
                            want = scipy(exact, labels.astype(np.int64), index)
                    got = on(device, getattr(unisono, f"{name}_by_label"), x, labels, index)
                    assert np.shape(got) == np.shape(want), (name, index)
                    if dtype == "float32" and name in ("min", "max"):
                        assert np.asarray(got).dtype == np.float32
                    rtol = 1e-6 if dtype == "float32" else 1e-12
                    np.testing.assert_allclose(np.asarray(got, dtype=float), np.asarray(want, dtype=float), rtol=rtol, atol=1e-12)
            present = [int(label) for label in np.unique(labels)]
            for name in ("argmin", "argmax"):
                got = on(device, getattr(unisono, f"{name}_by_label"), x, labels, present)
                flat, of = x.ravel(), labels.ravel()
                want = [np.flatnonzero(of == label)[getattr(flat[of == label], name)()] for label in present]
                assert got.tolist() == [int(i) for i in want]
            counts = on(device, unisono.count_by_label, labels, present)
            assert counts.tolist() == [int((labels == label).sum()) for label in present]


def test_positions_and_extrema_by_label(device, rng):
    ndimage = pytest.importorskip("scipy.ndimage")
    for shape in [(40,), (6, 7), (3, 4, 5)]:
        x = rng.integers(-9, 9, shape).astype(np.float64)
        labels = rng.integers(0, 4, shape)
        labels.flat[:4] = range(4)
        for index in (2, [1, 3], [0]):
            for name, scipy in [("min_position", ndimage.minimum_position), ("max_position", ndimage.maximum_position)]:
                got = on(device, getattr(unisono, f"{name}_by_label"), x, labels, index)
                # The first of equal ones; SciPy's is any.
                want = scipy(x, labels, index)
                for a, b in zip([got] if index == 2 else got, [want] if index == 2 else want, strict=True):
                    assert x[a] == x[tuple(int(i) for i in b)] and labels[a] == labels[tuple(int(i) for i in b)]
            got, want = on(device, unisono.extrema_by_label, x, labels, index), ndimage.extrema(x, labels, index)
            np.testing.assert_array_equal(got[0], want[0])
            np.testing.assert_array_equal(got[1], want[1])
            assert got[2] == on(device, unisono.min_position_by_label, x, labels, index)
    assert on(device, unisono.max_position_by_label, [3, 9, 9], [1, 1, 2], [1, 2]) == [(1,), (2,)]


def test_histograms_by_label(device, rng):
    ndimage = pytest.importorskip("scipy.ndimage")
    x = rng.normal(size=(50, 40))
    labels = rng.integers(0, 6, x.shape)
    want = ndimage.histogram(x, -2, 2, 7, labels, [5, 1, 3])
    got, edges = on(device, unisono.histogram_by_label, x, 7, labels, [5, 1, 3], (-2, 2))
    assert got.dtype == np.int64 and edges.tolist() == np.histogram_bin_edges(x, 7, (-2, 2)).tolist()
    np.testing.assert_array_equal(got, np.stack(want))
    got, edges = on(device, unisono.histogram_by_label, x, [-1, 0, 0.5], labels)
    np.testing.assert_array_equal(got, np.histogram(x[labels > 0], [-1, 0, 0.5])[0])
    got, _ = on(device, unisono.histogram_by_label, x, 4, labels, [[1, 77], [2, 5]])
    np.testing.assert_array_equal(got[1, 0], np.histogram(x[labels == 2], np.histogram_bin_edges(x, 4))[0])
    assert got.shape == (2, 2, 4) and not got[0, 1].any()


def test_variances_by_label_are_exact(device, rng):
    n = 20_000
    x = rng.standard_normal(n) * 10.0 ** rng.integers(-20, 20, n)
    labels = rng.integers(0, 30, n)
    for ddof in (0, 1):
        got = on(device, unisono.var_by_label, x, labels, range(30), ddof=ddof)
        assert got.tolist() == [unisono.var(x[labels == i], ddof=ddof, device="cpu") for i in range(30)]
        got = on(device, unisono.std_by_label, x, labels, range(30), ddof=ddof)
        assert got.tolist() == [unisono.std(x[labels == i], ddof=ddof, device="cpu") for i in range(30)]


def test_sums_by_label_are_exact(device, rng):
    n = 100_000
    x = rng.standard_normal(n) * 10.0 ** rng.integers(-20, 20, n)
    labels = rng.integers(-5, 200, n)
    index = np.arange(-5, 205)
    got = on(device, unisono.sum_by_label, x, labels, index)
    assert got.tolist() == [math.fsum(x[labels == label]) for label in index]
    sparse = labels.astype(np.int64) * 10**12
    np.testing.assert_array_equal(on(device, unisono.sum_by_label, x, sparse, index * 10**12), got)
    big = np.array([2**62, 2**62, -(2**62)])
    assert on(device, unisono.sum_by_label, big, [1, 1, 1], 1) == 2**62
    with pytest.raises(ValueError, match="does not fit"):
        on(device, unisono.sum_by_label, big, [1, 1, 2], 1)


def test_partials_by_label_merge_and_travel(device, rng):
    n = 5000
    x = rng.standard_normal(n) * 10.0 ** rng.integers(-20, 20, n)
    labels = rng.integers(0, 6, n)
    index = [3, 1, 77, 5]
    for op in ("sum", "mean", "var", "std", "min", "max", "argmin", "argmax", "count"):
        parts = [slice(0, 1), slice(1, 3000), slice(3000, n)]
        made = [on(device, unisono.LabelPartials, x[part], labels[part], op, index) for part in parts]
        whole = made[0]
        for part in made[1:]:
            whole.merge(pickle.loads(pickle.dumps(part)))
        if op == "count":
            want = unisono.count_by_label(labels, index)
        else:
            want = getattr(unisono, f"{op}_by_label")(x, labels, index, device="cpu")
        np.testing.assert_array_equal(whole.result(), want)
        assert whole.elements == n and whole.counts.tolist() == [int((labels == i).sum()) for i in index]
        assert unisono.LabelPartials.from_bytes(whole.to_bytes()) == whole
    with pytest.raises(ValueError, match="same labels"):
        whole.merge(on(device, unisono.LabelPartials, x, labels, "count", [1]))
    with pytest.raises(ValueError, match="version 9, expected 1"):
        unisono.LabelPartials.from_bytes(b"\x09" + whole.to_bytes()[1:])
    with pytest.raises(ValueError, match="median"):
        unisono.LabelPartials(x, labels, "median", device=device)


def test_weights_are_of_one_kind():
    for before, now, text in [
        (None, [1.0], "weights: got floats, expected none, as were added before"),
        ([2], None, "weights: got none, expected integers, as were added before"),
        ([2.0], [2], "weights: got integers, expected floats, as were added before"),
    ]:
        histogram = unisono.Histogram([0, 1, 2])
        histogram.add([0.5], before)
        with pytest.raises(ValueError, match=text):
            histogram.add([1.5], now)
        assert histogram.counts.tolist() == [1, 0]


def test_labels_of_partials_broadcast(device):
    x, labels = np.arange(6.0).reshape(2, 3), np.array([1, 2, 1])
    found = unisono.LabelPartials(x, labels, "sum", [1, 2], device)
    assert np.array_equal(found.result(), unisono.sum_by_label(x, labels, [1, 2], device))
