"""The caches of a test run are its own, and gone with it."""

import atexit
import os
import shutil
import tempfile

from hypothesis import HealthCheck, settings

if "PYTEST_XDIST_WORKER" in os.environ:  # two processes with two threads each would fight over two cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["EVALKIT_CACHE"] = tempfile.mkdtemp(prefix="evalkit-tests-")
atexit.register(shutil.rmtree, os.environ["EVALKIT_CACHE"], ignore_errors=True)
collect_ignore = ["external"]  # another package, which is imported in processes of its own
settings.register_profile("slow machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("slow machine")
