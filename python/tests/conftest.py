"""Every test that takes ``device`` runs on the CPU and on every GPU of the machine, software ones included."""

import os

import numpy as np
import pytest

import unisono

DEVICES = [device.id for device in unisono.devices()]
GPUS = [device for device in DEVICES if device.startswith("gpu")]


def pytest_report_header():
    return [f"unisono device {device.id}: {device.name} ({device.kind}, {device.backend})" for device in unisono.devices()]


def pytest_configure():
    if os.environ.get("UNISONO_REQUIRE_GPU") == "1" and not GPUS:
        pytest.exit("UNISONO_REQUIRE_GPU=1, but no GPU was found", returncode=1)


def pytest_generate_tests(metafunc):
    if "device" in metafunc.fixturenames:
        missing = [pytest.param("gpu:0", marks=pytest.mark.skip(reason="NO GPU FOUND: the GPU engine is not tested"))]
        metafunc.parametrize("device", DEVICES + ([] if GPUS else missing))


@pytest.fixture
def rng(request):
    """A generator seeded by the test's name, the same in every run."""
    return np.random.default_rng(list(request.node.name.encode()))
