"""What goes in and comes out: strides, lists, odd memory, ``out``."""

import numpy as np
import pytest

import unisono


def test_anything_asarray_takes():
    assert unisono.sum([[1, 2], [3, 4]]) == 10
    assert unisono.sum((1.5, 2.5)) == 4.0
    assert unisono.sum(7) == 7
    assert unisono.max(range(5)) == 4
    assert unisono.sum(np.float32(0.5)) == np.float32(0.5)
    assert unisono.sum(memoryview(b"\x01\x02")) == 3


def test_read_only_input(device):
    x = np.arange(12.0)
    x.flags.writeable = False
    assert unisono.sum(x, device=device) == 66
    assert unisono.sum(np.broadcast_to(2.0, (1000, 3)), device=device) == 6000
    assert unisono.sum(np.frombuffer(b"\x01\x02\x03", dtype=np.uint8), device=device) == 6


def test_byte_swapped_unaligned_and_packed_input(device):
    x = np.arange(100, dtype=np.int32)
    assert unisono.sum(x.astype(">i4"), device=device) == 4950
    unaligned = np.frombuffer(b"\0" + x.tobytes(), dtype=np.int32, offset=1)
    assert unisono.sum(unaligned, device=device) == 4950
    packed = np.zeros(100, dtype=[("flag", "u1"), ("value", "<i4")])
    packed["value"] = x
    assert unisono.sum(packed["value"], device=device) == 4950
    aligned = np.zeros(100, dtype=[("pair", "<i4", 2), ("rest", "<i4")])
    aligned["rest"] = x
    assert unisono.argmax(aligned["rest"], device=device) == 99


def test_bools_of_any_bytes(device):
    x = np.array([0, 1, 2, 255], dtype=np.uint8).view(bool)
    assert unisono.count_nonzero(x, device=device) == 3
    assert unisono.sum(x, device=device) == 3
    assert unisono.any(x[:1], device=device) is False
    assert unisono.convolve(x, np.array([1], dtype=np.int64), ndim=1, device=device).tolist() == [0, 1, 1, 1]


def test_masks_are_refused():
    plain = np.array([1.0, 2.0, 3.0])
    x = np.ma.array(plain, mask=[0, 1, 0])
    calls = [
        ("array", lambda: unisono.sum(x)),
        ("array", lambda: unisono.upload(x)),
        ("array", lambda: unisono.prod(np.ma.array([1, 2]), dtype="f4")),
        ("array", lambda: unisono.vecdot(x, plain)),
        ("second operand", lambda: unisono.vecdot(plain, x)),
        ("where", lambda: unisono.sum(plain, where=x > 1)),
        ("array", lambda: unisono.histogram(x, 2)),
        ("array", lambda: unisono.histogram(x, "auto")),
        ("weights", lambda: unisono.quantile(plain, 0.5, weights=x, method="inverted_cdf")),
        ("where", lambda: unisono.median(plain, where=x > 1)),
        ("values", lambda: unisono.sum_by_label(x, [1, 1, 1])),
        ("labels", lambda: unisono.sum_by_label(plain, np.ma.array([1, 1, 1]))),
        ("x", lambda: unisono.map("x", x=x)),
        ("images", lambda: unisono.convolve(x, plain, ndim=1)),
        ("input", lambda: unisono.gaussian_filter(x, 1)),
        ("out", lambda: unisono.cumsum(plain, out=np.ma.zeros(3))),
    ]
    for what, call in calls:
        with pytest.raises(TypeError, match=rf"^{what}: got a masked array, expected a plain one: its filled\(\)"):
            call()
    assert unisono.sum(x.data, where=~x.mask) == x.sum()


def test_subclasses_are_arrays(tmp_path):
    x = np.memmap(tmp_path / "x", np.float64, "w+", shape=3)
    x[:] = 1, 2, 3
    assert unisono.sum(x) == 6 and unisono.sum(np.asmatrix(x), 0).tolist() == [1, 2, 3]


def test_at_most_32_axes():
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("NumPy 1 has at most 32 axes too")
    shape = (1,) * 33
    x, rng = np.ones(shape[1:]), unisono.random.default_rng(1)
    assert unisono.sum(x) == 1 and rng.random(shape[1:]).shape == shape[1:]
    many = x[None]
    for what, call in [
        ("array", lambda: unisono.sum(many)),
        ("array", lambda: unisono.upload(many)),
        ("x", lambda: unisono.map("x", x=many)),
        ("out", lambda: unisono.sum(x, keepdims=True, out=many.copy())),
        ("result", lambda: rng.random(shape)),
        ("result", lambda: rng.random(shape, resident=True).numpy()),
    ]:
        with pytest.raises(ValueError, match=f"^{what}: got 33 dimensions, expected at most 32 dimensions"):
            call()


@pytest.mark.parametrize("shape", [(2**62, 0), (2**60, 0), (0, 2**62), (0, 2**31, 2**31)])
def test_shapes_that_numpy_has_not(shape):
    rng = unisono.random.default_rng(1, device="cpu")
    with pytest.raises(ValueError, match="result: got shape .* of float64, expected an array that NumPy can have"):
        rng.random(shape)
    resident = rng.random(shape, resident=True)
    with pytest.raises(ValueError, match="expected an array that NumPy can have"):
        resident.numpy()


def test_results_own_their_memory():
    result = unisono.convolve(np.ones((3, 3)), np.ones((2, 2)))
    assert result.flags.c_contiguous and result.flags.writeable and result.flags.aligned
    result[0, 0] = 5
    keep = result[1:]
    del result
    assert keep[0, 0] == 2


def outs(shape, dtype):
    """Writable arrays of this shape with unlike strides."""
    yield np.empty(shape, dtype)
    yield np.empty(shape[::-1], dtype).T
    yield np.empty([2 * n for n in shape], dtype)[tuple(slice(None, None, 2) for _ in shape)]
    yield np.empty(shape, dtype)[tuple(slice(None, None, -1) for _ in shape)]


def test_out_of_convolve(device, rng):
    image, bank = rng.integers(0, 99, (9, 8)), rng.integers(0, 99, (2, 3, 3))
    want = unisono.convolve(image, bank, device="cpu")
    for dtype in (np.int64, np.float32):
        for out in outs(want.shape, dtype):
            out[...] = 77
            assert unisono.convolve(image, bank, out=out, device=device) is out
            np.testing.assert_array_equal(out, want)


def test_out_leaves_the_rest_alone(device):
    wide = np.full((6, 10), -1, dtype=np.int64)
    unisono.convolve(np.ones((2, 3), dtype=int), np.ones((2, 2), dtype=int), out=wide[1:4, 2:10:2], device=device)
    assert wide[1:4, 2:10:2].tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [1, 2, 2, 1]]
    wide[1:4, 2:10:2] = -1
    assert (wide == -1).all()


def test_out_of_reductions(device, rng):
    x = rng.integers(-9, 9, (5, 7, 3)).astype(np.int16)
    for op, dtype in [("sum", "int64"), ("mean", "float64"), ("min", "int16"), ("argmax", "int64"), ("argmax", "uint64"),
                      ("count_nonzero", "int64"), ("any", "bool")]:  # fmt: skip
        want = getattr(unisono, op)(x, axis=1, device="cpu")
        for out in outs(want.shape, dtype):
            assert getattr(unisono, op)(x, axis=1, out=out, device=device) is out
            np.testing.assert_array_equal(out, want)
    total = np.empty(())
    assert unisono.sum(x.astype(float), out=total, device=device) is total
    assert total == x.sum()


def test_out_is_checked():
    x = np.arange(12.0).reshape(3, 4)
    one = np.ones((1, 1))

    def refused(error, text, out):
        with pytest.raises(error, match=text):
            unisono.convolve(x, one, out=out)

    frozen = np.empty((3, 4))
    frozen.flags.writeable = False
    refused(ValueError, "out: got a read-only array, expected a writable one", frozen)
    refused(ValueError, r"output shape: got \[4, 3\], expected \[3, 4\]", np.empty((4, 3)))
    refused(TypeError, "out: got list, expected a NumPy array", [0])
    refused(ValueError, "out_dtype: got complex128 for", np.empty((3, 4), complex))
    refused(TypeError, "out: got dtype .*, expected native byte order", np.empty((3, 4), ">f8"))
    refused(ValueError, "shares memory with an operand", x)
    refused(ValueError, "shares memory with an operand", x[::-1])
    same = np.lib.stride_tricks.as_strided(np.empty(8), (3, 4), (8, 8))
    refused(ValueError, "whose elements share memory", same)
    refused(ValueError, "unaligned", np.frombuffer(bytearray(97), dtype=float, offset=1).reshape(3, 4))
    with pytest.raises(TypeError, match="output: got dtype float32, expected float64"):
        unisono.sum(x, axis=0, out=np.empty(4, np.float32))
    with pytest.raises(ValueError, match="out_dtype: got float32, expected the dtype of out, float64"):
        unisono.convolve(x, one, out=np.empty((3, 4)), out_dtype="float32")


def test_interleaved_memory_is_not_shared_memory():
    both = np.zeros((3, 8))
    both[:, ::2] = 2
    unisono.convolve(both[:, ::2], np.full((1, 1), 3.0), out=both[:, 1::2])
    assert both.tolist() == [[2, 6] * 4] * 3
