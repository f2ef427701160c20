"""The sum that comes in pieces."""

import math
import pickle

import numpy as np
import pytest

import unisono


def test_pieces_give_the_bits_of_the_whole(device, rng):
    x = np.ldexp(rng.standard_normal(5000), rng.integers(-900, 900, 5000))
    whole = unisono.ExactSum()
    whole.add(x, device)
    parts = unisono.ExactSum()
    for piece in np.array_split(rng.permutation(x), 7):
        part = unisono.ExactSum()
        part.add(piece, unisono.Backend(device))
        parts.merge(pickle.loads(pickle.dumps(part)))
    assert parts == whole
    assert parts.to_bytes() == whole.to_bytes()
    assert float(parts) == parts.value() == math.fsum(x) == unisono.sum(x, device=device)
    assert unisono.ExactSum.from_bytes(whole.to_bytes()) == whole


def test_value_and_mean():
    total = unisono.ExactSum()
    assert total.value().tobytes() == np.float64(0).tobytes()
    total.add(np.array([1e8, 1, 1], dtype=np.float32))
    assert total.value("float32") == np.float32(100_000_002)
    assert type(total.value(np.float32)) is np.float32
    assert total.mean(3) == 100_000_002 / 3
    assert math.isnan(unisono.ExactSum().mean(0))
    total.add([math.inf])
    assert total.value() == math.inf
    assert repr(total) == "<unisono.ExactSum inf>"


def test_errors():
    with pytest.raises(TypeError, match="ExactSum.add: got dtype int64, expected float32 or float64"):
        unisono.ExactSum().add([1, 2])
    with pytest.raises(TypeError, match="dtype: got dtype int32, expected float32 or float64"):
        unisono.ExactSum().value("int32")
    with pytest.raises(ValueError, match="exact sum"):
        unisono.ExactSum.from_bytes(b"nonsense")
