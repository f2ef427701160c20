"""Workers of ``multiprocessing`` open their own devices, however they are started, or say why not; nothing hangs."""

import multiprocessing
import subprocess
import sys

import pytest

PROGRAM = """
import multiprocessing, sys
import numpy as np
import unisono

DEVICE = sys.argv[2]
BACKEND = unisono.Backend(DEVICE)

def work(n):
    x = np.arange(float(n))
    image = np.arange(12.0, dtype=np.float32).reshape(3, 4)
    y = unisono.convolve(image, np.full((2, 2), n % 5, dtype=np.float32), device=BACKEND)
    return unisono.sum(x, device=DEVICE), float(BACKEND.sum(y)), unisono.pi(100_000 + n, device=DEVICE).hits

if __name__ == "__main__":
    sizes = [1, 10, 1000, 300_000, 3_000_000, 77]
    want = [work(n) for n in sizes]
    for _ in range(2):
        with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
            try:
                got = pool.map(work, sizes, chunksize=1)
            except (RuntimeError, ValueError) as error:
                print("refused:", error)
                sys.exit(0)
            assert got == want
    assert [work(n) for n in sizes] == want
    print("same")
"""


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_pool(device, method, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, program, method, device], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    if method == "fork" and device.startswith("gpu"):
        # A driver that was in use in the parent may be unusable in its child; then the child says so.
        assert done.stdout == "same\n" or ("refused:" in done.stdout and "fork" in done.stdout)
    else:
        assert done.stdout == "same\n"


FORKED_MEANWHILE = """
import os, sys, threading, time
import numpy as np
import unisono

x, a, b = np.arange(3000.0), np.ones((300, 300)), np.ones((60, 60))
calls = [lambda: unisono.sum(x, device="cpu"), lambda: unisono.convolve(a, b, device="cpu"),
         lambda: unisono.random.default_rng(1, device="cpu").normal(size=100),
         lambda: unisono.integrate("x*y", {"x": (0, 1), "y": (0, 1)}, 1000, method="sobol", device="cpu")]
call = calls[int(sys.argv[1])]
thread = threading.Thread(target=call)
thread.start()
time.sleep(float(sys.argv[2]))
child = os.fork()
if child == 0:
    call()
    os._exit(0)
thread.join()
deadline = time.monotonic() + 30
while os.waitpid(child, os.WNOHANG) == (0, 0):
    if time.monotonic() > deadline:
        os.kill(child, 9)
        sys.exit("the child hangs")
    time.sleep(0.01)
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork here")
@pytest.mark.parametrize("call", range(4))
def test_a_child_forked_during_the_first_call_does_not_hang(call):
    for pause in (0, 0.001, 0.003):
        program = [sys.executable, "-W", "ignore", "-c", FORKED_MEANWHILE, str(call), str(pause)]
        done = subprocess.run(program, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
