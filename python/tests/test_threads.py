"""The GIL is released, threads do not disturb one another, and Ctrl-C stops the work."""

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import unisono

INTERRUPTED = """
import signal, sys, time, unisono
# What runs in the background of a script may have been started without it.
signal.signal(signal.SIGINT, signal.default_int_handler)
unisono.pi(1000, device=sys.argv[1])
print("started", flush=True)
try:
    unisono.pi(10**15, device=sys.argv[1])
    print("finished")
except KeyboardInterrupt:
    print("cancelled", unisono.sum([1, 2], device=sys.argv[1]))
"""


def test_the_gil_is_released(device):
    samples, elapsed = 10**6, 0.0
    while elapsed < 0.25:
        samples *= 2
        start = time.perf_counter()
        unisono.pi(samples, device=device)
        elapsed = time.perf_counter() - start
    worker = threading.Thread(target=unisono.pi, args=(samples, 0, device))
    worker.start()
    ticks = 0
    while worker.is_alive():
        time.sleep(0.001)
        ticks += 1
    assert ticks > 5, "this thread stood still while the other computed"


def test_many_threads(device):
    x = np.arange(100_000.0)
    kernels = [np.full((3, 3), n) for n in range(16)]
    image = np.ones((40, 40), dtype=np.int64)
    with ThreadPoolExecutor(8) as pool:
        sums = list(pool.map(lambda n: unisono.sum(x[n:], device=device), range(64)))
        banks = list(pool.map(lambda k: unisono.convolve(image, k, "valid", device=device), kernels))
    assert sums == [x[n:].sum() for n in range(64)]
    assert all((bank == 9 * n).all() for n, bank in enumerate(banks))


@pytest.mark.skipif(sys.platform == "win32", reason="sends a POSIX signal")
def test_ctrl_c_cancels(device):
    command = [sys.executable, "-c", INTERRUPTED, device]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "started\n"
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert out == "cancelled 3\n", err
    assert process.returncode == 0


LONG = np.broadcast_to(1.5, (1, 1 << 22))
ENDLESS = {
    "pi": lambda: unisono.pi(10**15, device="cpu"),
    "sum": lambda: unisono.sum(np.broadcast_to(1.5, 1 << 44), device="cpu"),
    "integrate": lambda: unisono.integrate("x*x", {"x": (0, 1)}, 10**13, device="cpu"),
    "convolve": lambda: unisono.convolve(LONG[:, ::2], LONG[:, : 1 << 20], "valid", algorithm="direct", device="cpu"),
}


@pytest.mark.parametrize("endless", ENDLESS.values(), ids=ENDLESS)
def test_other_exceptions_of_signal_handlers_get_through(endless):
    class Alarm(Exception):
        pass

    def ring(*_):
        raise Alarm

    if not hasattr(signal, "setitimer"):
        pytest.skip("no timers here")
    old = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(Alarm):
            endless()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)
