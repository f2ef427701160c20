"""Expressions over arrays and their integrals."""

import pathlib
import pickle
import runpy
import sys

import numpy as np
import pytest

import unisono


def test_map_is_numpys_expression(device):
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((40, 1, 33)).astype("f4"), rng.standard_normal((33, 20)).astype("f4").T
    got = unisono.map("(a - b)*(a - b)/(1 + abs(a))", a=a, b=b, device=device)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, (a - b) * (a - b) / (1 + np.abs(a)))
    out = np.empty((40, 20, 33), "f4")
    assert unisono.map("where(a > b, s, -s)", a=a, b=b, s=2, out=out, device=device) is out
    np.testing.assert_array_equal(out, np.where(a > b, np.float32(2), np.float32(-2)))


def test_signs_are_numpys(device):
    for dtype in ["f4", "f8"]:
        x = np.array([-2, -0.0, 0.0, 3, np.nan, -np.inf], dtype)
        got = unisono.map("sign(x)", x=x, device=device)
        np.testing.assert_array_equal(got, np.sign(x))
        np.testing.assert_array_equal(np.signbit(got[:4]), np.signbit(np.sign(x))[:4])


def test_functions_are_near_numpys_and_dtypes_promote():
    x = np.linspace(0.01, 20, 1001)
    for text, expected in [("exp(-x)", np.exp(-x)), ("log(x)", np.log(x)), ("sin(x)", np.sin(x)), ("x**1.5", x**1.5)]:
        got = unisono.map(text, x=x)
        assert got.dtype == np.float64
        np.testing.assert_allclose(got, expected, rtol=1e-14)
    assert unisono.map("x", x=np.arange(3, dtype="u1")).dtype == np.float32
    assert unisono.map("x", x=np.arange(3, dtype="i8")).dtype == np.float64
    assert unisono.map("x", x=np.arange(3, dtype="i8"), dtype="f4").dtype == np.float32
    assert unisono.map("device + out", {"device": [1.0], "out": 2}).tolist() == [3.0]


def test_map_reduce_is_exact(device):
    a, b = np.float32([1e20, 3, -1e20, 4]), np.float32([1, 1, 1, 1])
    assert unisono.map_reduce("a*b", "sum", a=a, b=b, device=device) == 7
    assert unisono.map_reduce("a > b", "count_nonzero", a=a, b=b, device=device) == 3
    assert unisono.map_reduce("a", "argmin", a=a, device=device) == 2


def test_integrals_converge_and_merge(device):
    box = {"x": (0, 1), "y": (0, 1)}
    whole = unisono.integrate("exp(-(x*x + y*y))", box, 100_000, seed=3, device=device)
    assert abs(whole.estimate - 0.557746285) < 5 * whole.standard_error
    parts = [unisono.integrate("exp(-(x*x + y*y))", box, n, seed=3, start=s) for s, n in [(60_000, 40_000), (0, 60_000)]]
    assert parts[0].merge(pickle.loads(pickle.dumps(parts[1]))) == whole == pickle.loads(pickle.dumps(whole))
    with pytest.raises(ValueError, match="60000 to below 100000, which this state has already"):
        parts[0].merge(whole)
    with pytest.raises(ValueError, match="seed 4"):
        parts[0].merge(unisono.integrate("exp(-(x*x + y*y))", box, 60_000, seed=4))
    low, high = whole.interval(0.95)
    assert high - low == pytest.approx(2 * 1.959964 * whole.standard_error)
    reached = unisono.integrate("x", {"x": (0, 2)}, 10**7, relative_error=1e-3, device=device)
    assert reached.converged and reached.samples < 10**6 and "converged" not in repr(reached)
    missed = unisono.integrate("x < 0", {"x": (0, 2)}, 1000, relative_error=0.5, device=device)
    assert not missed.converged and repr(missed).endswith("samples=1000, converged=False)")
    assert unisono.integrate("1", {"x": (0, 2)}, 1000, relative_error=1e-9, device=device).converged
    rounded = unisono.integrate("1", {"x": (1e6, 1e6 + 0.1)}, 2**17, method="vegas", device=device)
    assert rounded.estimate == pytest.approx(0.1, rel=1e-3)


def test_states_of_integrals(device, tmp_path):
    box, file = {"y": (0, 1), "x": (-1, 2)}, tmp_path / "integral.state"
    for method in ["plain", "vegas", "sobol"]:
        given = dict(seed=3, params={"s": 900}, method=method, round=2000)
        whole = unisono.integrate("exp(-s*(x*x + y*y))", box, 10_000, device=device, **given)
        assert abs(whole.estimate - np.pi / 1800) < 5 * whole.standard_error
        assert (whole.chi2_per_dof is None) == (method != "vegas")
        assert len(whole.replicates) == (32 if method == "sobol" else 0)
        state, other = [unisono.IntegralState("exp(-s*(x*x + y*y))", box, **given) for _ in range(2)]
        state.extend(1500, device=device)
        other.extend(2000, start=1500)
        state.merge(pickle.loads(pickle.dumps(other)))
        assert state.missing(3000) == [(2000, 3000)]
        assert state.integrate(10_000, checkpoint=file, device=device) == whole == state.integral()
        again = unisono.IntegralState("exp(-s*(x*x + y*y))", box, **given)
        assert again.integrate(10_000, checkpoint=file) == whole and again == state == unisono.IntegralState.load(file)
        file.unlink()
        state.extend(10_500, device=device)
        with pytest.raises(ValueError, match="already"):
            state.merge(state)
        with pytest.raises(ValueError, match="expression"):
            state.merge(unisono.IntegralState("x + y", box, seed=3))
    assert "samples=10500" in repr(state)
    with pytest.raises(ValueError, match="plain, vegas, sobol"):
        unisono.integrate("x", {"x": (0, 1)}, method="magic")


def test_the_example_runs(capsys, monkeypatch):
    example = pathlib.Path(__file__).parents[1] / "examples" / "integral_convergence.py"
    if not example.exists():
        pytest.skip("the tests run without the rest of the repository")
    monkeypatch.setattr(sys, "argv", [str(example), "--device", "cpu", "--most", "13"])
    runpy.run_path(str(example), run_name="__main__")
    text = capsys.readouterr().out
    assert text.count("8,192") == 3 and "sobol" in text


def test_errors_say_where():
    with pytest.raises(ValueError, match="column 5"):
        unisono.map("a + ", a=[1.0])
    with pytest.raises(ValueError, match="expected `sin`"):
        unisono.map("Sin(1)")
    with pytest.raises(ValueError, match="`b`, which has no value"):
        unisono.map("a + b", a=[1.0])
    with pytest.raises(ValueError, match="broadcast"):
        unisono.map("a + b", a=np.ones(2), b=np.ones(3))
    with pytest.raises(ValueError, match="twice"):
        unisono.map("a", {"a": [1.0]}, a=[1.0])
    with pytest.raises(TypeError, match="float32 or float64"):
        unisono.map("a", a=[1.0], dtype="i4")


def test_integrands_in_wgsl(device):
    import copy

    text = "fn integrand(x: f32, y: f32) -> f32 { return exp(-s*(x*x + y*y)); }"
    integrand, box = unisono.Wgsl(text), {"x": (0, 1), "y": (0, 1)}
    assert integrand.text == text and repr(integrand).startswith("Wgsl(")
    assert pickle.loads(pickle.dumps(integrand)) == copy.copy(integrand) == integrand != unisono.Wgsl("other")
    if device == "cpu":
        with pytest.raises(ValueError, match="GPUs"):
            unisono.integrate(integrand, box, 1000, params={"s": 1}, device=device)
        return
    for s in (1.0, 2.0):
        found = unisono.integrate(integrand, box, 10_000, params={"s": s}, seed=3, device=device)
        expected = unisono.integrate("exp(-s*(x*x + y*y))", box, 10_000, params={"s": s}, seed=3)
        assert found.estimate == pytest.approx(expected.estimate, rel=1e-5)
        state = unisono.IntegralState(integrand, box, seed=3, params={"s": s})
        state.extend(4000, device=device)
        state = pickle.loads(pickle.dumps(state))
        state.extend(10_000, device=device)
        assert state.integral() == found
    with pytest.raises(ValueError, match="`words`"):
        unisono.integrate(unisono.Wgsl("fn words() {} " + text), box, 1000, params={"s": 1}, device=device)
