"""The examples in the documentation run, and the stubs say what the code does."""

import doctest
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


def test_stubs(tmp_path):
    pytest.importorskip("mypy", reason="mypy compares the stubs with the code")
    command = [sys.executable, "-m", "mypy.stubtest", "unisono"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
