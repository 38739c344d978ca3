"""The caches of a test run are its own, and gone with it."""

import atexit
import os
import shutil
import tempfile

os.environ["EVALKIT_CACHE"] = tempfile.mkdtemp(prefix="evalkit-tests-")
atexit.register(shutil.rmtree, os.environ["EVALKIT_CACHE"], ignore_errors=True)
collect_ignore = ["external"]  # another package, which is imported in processes of its own
