"""The tiny random Mask2Former of the detectors' tests."""

import importlib.util
from pathlib import Path

_PATH = Path(__file__).parents[2] / "encoders" / "detectors" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("tiny_mask2former_fixture", _PATH)
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
tiny_mask2former = _MODULE.tiny_mask2former
