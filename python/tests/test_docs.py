"""The examples in the documentation run, and the stubs say what the code does."""

import doctest
import inspect
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

import unisono
from unisono import _backend, _filters, _functions, _group, _order, _reductions, random

MODULES = [unisono, _functions, _reductions, _filters, _group, _order, _backend, random]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_examples(module):
    names = {"unisono": unisono, "np": np}
    failed, tried = doctest.testmod(module, extraglobs=names, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried > 0
    assert failed == 0


def test_readme(capsys):
    readme = pathlib.Path(__file__).parents[1] / "README.md"
    if not readme.exists():
        pytest.skip("the tests run without the rest of the repository")
    exec(re.search(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)[1], {})
    assert "(512,) Pi(hits=" in capsys.readouterr().out


def test_every_public_name_is_documented():
    for name in unisono.__all__:
        assert name == "__version__" or getattr(unisono, name).__doc__, name


def test_every_parameter_is_documented():
    for name in unisono.__all__:
        function = getattr(unisono, name)
        if inspect.isfunction(function):
            section = function.__doc__.partition("Parameters\n")[2].partition("\n\n")[0]
            missing = set(inspect.signature(function).parameters) - set(re.findall(r"\w+", section))
            assert not missing, (name, missing)


def test_stubs_tell_arrays_apart(tmp_path):
    api = pytest.importorskip("mypy.api", reason="mypy reads the stubs")
    program = """
import numpy as np
import unisono as us
x, a = np.ones((3, 3)), us.upload([[1.0]])
reveal_type(us.convolve(x, a))
reveal_type(us.Backend().correlate(x, a))
reveal_type(us.convolve(x, x))
reveal_type(us.sum(x, None, False, "cpu", a))
reveal_type(us.Backend().convolve(x, x, "full", "wrap", 0, 2, a))
us.sum(x, range(2))
us.sum(x, np.arange(2))
us.pi(1e6)
a == x
"""
    (tmp_path / "program.py").write_text(program)
    said, _, status = api.run([str(tmp_path / "program.py"), "--cache-dir", str(tmp_path / "cache")])
    kinds = ["Array" if "Array" in line and "ndarray" not in line else "ndarray" for line in said.splitlines() if "Revealed" in line]
    assert status == 0 and kinds == ["Array", "Array", "ndarray", "Array", "Array"], said


def test_stubs(tmp_path):
    pytest.importorskip("mypy", reason="mypy compares the stubs with the code")
    command = [sys.executable, "-m", "mypy.stubtest", "unisono"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
