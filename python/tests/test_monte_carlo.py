"""States of Monte Carlo runs: resumed, merged, saved, carried between processes."""

import math
import pathlib
import pickle
import runpy
import sys
import threading

import pytest

import unisono


def test_parts_make_the_whole(device, tmp_path):
    expected = unisono.pi(300_001, seed=9, device="cpu")
    state = unisono.MonteCarloState(9)
    state.extend(200_000, start=100_000, device=device)
    assert state.missing(300_001) == [(0, 100_000), (200_000, 300_001)]
    file = tmp_path / "pi.state"
    state.extend(300_001, device=device, checkpoint=file)
    assert state.estimate() == expected and state.ranges == [(0, 300_001)]
    again = unisono.MonteCarloState(9)
    again.extend(300_001, checkpoint=str(file))
    assert again == state == unisono.MonteCarloState.load(file) == pickle.loads(pickle.dumps(state))


def test_to_a_standard_error(device):
    state = unisono.MonteCarloState(4)
    state.extend(standard_error=1e-3, device=device)
    assert state.ranges == [(0, 3 * 2**20)] and state.estimate().standard_error <= 1e-3
    low, high = state.estimate().confidence_interval(0.9)
    assert low < float(state.estimate()) < high and high - low == pytest.approx(2 * 1.645e-3, rel=0.1)
    for wrong in [dict(), dict(end=5, standard_error=1.0), dict(standard_error=1e-9), dict(start=5, standard_error=1.0)]:
        with pytest.raises(ValueError, match="standard"):
            state.extend(device=device, **wrong)
    assert state.ranges == [(0, 3 * 2**20)]


def test_intervals_of_checkpoints(tmp_path):
    states = {
        "pi": (unisono.MonteCarloState(1), "extend"),
        "x": (unisono.IntegralState("x", {"x": (0, 1)}, seed=1), "integrate"),
    }
    for name, (state, run) in states.items():
        for interval in (math.nan, -1, -math.inf):
            with pytest.raises(ValueError, match="interval: got .*, expected seconds, at least 0"):
                getattr(state, run)(1000, checkpoint=tmp_path / name, interval=interval)
        getattr(state, run)(1000, device="cpu", checkpoint=tmp_path / name, interval=math.inf)
        assert type(state).load(tmp_path / name).samples == state.samples == 1000


def test_what_does_not_fit(tmp_path):
    state = unisono.MonteCarloState(1)
    state.extend(1000, device="cpu")
    with pytest.raises(ValueError, match="seed 2"):
        state.merge(unisono.MonteCarloState(2))
    with pytest.raises(ValueError, match="already"):
        state.merge(state)
    with pytest.raises(ValueError, match="checksum"):
        unisono.MonteCarloState.from_bytes(state.to_bytes()[:-1] + b"x")
    with pytest.raises(OSError, match="nowhere"):
        state.save(tmp_path / "nowhere" / "pi.state")
    with pytest.raises(OSError, match='^"": it names no file'):
        state.save("")
    assert state.samples == 1000 and repr(state) == "<unisono.MonteCarloState seed=1 samples=1000>"


@pytest.mark.parametrize("method", ["plain", "antithetic", "reflected", "stratified", "sobol"])
def test_methods(device, method):
    samples = 3 * 2**16
    pi = unisono.pi(samples, seed=5, device=device, method=method, bits=32)
    assert pi == unisono.pi(samples, seed=5, device="cpu", method=method, bits=32)
    assert (pi.method, pi.bits, pi.samples) == (method, 32, samples) and abs(pi.bias) < 1e-14
    low, high = pi.confidence_interval(0.99999)
    assert low < math.pi < high and pi.equivalent_samples >= samples
    state = unisono.MonteCarloState(5, method, 32)
    state.extend(2**16, device=device)
    state.extend(samples, start=2**17, device=device)
    rest = unisono.pi(2**16, seed=5, start=2**16, method=method, bits=32)
    assert state.estimate().merge(rest) == pi and (state.method, state.bits) == (method, 32)
    assert pickle.loads(pickle.dumps(state)) == state and f"{method} bits=32" in repr(state)


def test_methods_that_do_not_fit():
    assert unisono.pi(5, method="sobol").samples == 32 and unisono.pi(5, method="sobol").bits == 32
    assert unisono.pi(5).bits == 16
    for wrong in [dict(method="magic"), dict(bits=24), dict(method="sobol", start=5)]:
        with pytest.raises(ValueError, match="plain, antithetic|16 or 32|multiple of 32"):
            unisono.pi(64, **wrong)
    with pytest.raises(ValueError, match="antithetic samples of 16 bits"):
        unisono.pi(10).merge(unisono.pi(10, method="antithetic"))
    with pytest.raises(ValueError, match="sobol, 32 bits"):
        unisono.MonteCarloState(1).merge(unisono.MonteCarloState(1, "sobol"))


def test_the_example_runs(capsys, monkeypatch, tmp_path):
    example = pathlib.Path(__file__).parents[1] / "examples" / "pi_convergence.py"
    if not example.exists():
        pytest.skip("the tests run without the rest of the repository")
    arguments = ["--device", "cpu", "--standard-error", "1e-3", "--checkpoint", str(tmp_path / "pi.state")]
    monkeypatch.setattr(sys, "argv", [str(example), *arguments])
    runpy.run_path(str(example), run_name="__main__")
    assert "standard error" in capsys.readouterr().out
    assert unisono.MonteCarloState.load(tmp_path / "pi.state").estimate().standard_error <= 1e-3


def test_a_state_belongs_to_one_call_at_a_time():
    for state in (unisono.MonteCarloState(seed=1), unisono.IntegralState("x*x", {"x": (0, 1)})):
        begun, stop = threading.Event(), threading.Event()

        def progress(done, total):
            begun.set()
            if stop.is_set():
                raise KeyboardInterrupt

        def work():
            with pytest.raises(KeyboardInterrupt):
                state.extend(10**15, device=unisono.Backend("cpu", progress=progress))

        thread = threading.Thread(target=work)
        thread.start()
        try:
            assert begun.wait(20)
            for change in (lambda: state.extend(5), lambda: state.merge(type(state).from_bytes(state.to_bytes()))):
                with pytest.raises(ValueError, match="one call at a time"):
                    change()
        finally:
            stop.set()
            thread.join()
        before = state.samples
        state.extend(before + 70_000, start=before, device="cpu")
        assert state.samples == before + 70_000
