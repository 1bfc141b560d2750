"""Settings of every test: one hypothesis profile, the same examples each time; and a sandbox that is warmed once."""

import os
import signal
import subprocess
import sys

import pytest
from hypothesis import settings

# Deadlines measure the machine, not the code; a random example that fails only once in CI teaches nobody.
settings.register_profile("book", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("book")

# What the tests compute is small, and they run side by side: more threads than processes only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell starts what runs in the background with Ctrl-C ignored, and every process that a test starts would inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Asks the kernel for what the grader's walls are made of, without a line of the grader's own.
NAMESPACES = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
wanted = 0x20000 | 0x10000000 | 0x20000000 | 0x40000000
sys.exit(0 if sys.platform == "linux" and libc.unshare(wanted) == 0 else os.strerror(ctypes.get_errno()))
"""


@pytest.fixture(scope="session")
def namespaces():
    """Passes over a test of the grader's walls where the kernel refuses namespaces, and nowhere else."""
    done = subprocess.run([sys.executable, "-S", "-c", NAMESPACES], capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.skip(f"this machine lets nobody build namespaces, so no sandbox: {done.stderr.strip()}")


@pytest.fixture(scope="session")
def sandbox(namespaces):
    """A warm sandbox of the grader."""
    from crossentropy.grading.sandbox import Sandbox

    with Sandbox() as warm:
        warm.start()
        yield warm
