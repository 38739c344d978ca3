import subprocess
import sys

import pytest

import evalkit


def test_public_names_are_few_and_all_resolve():
    names = [name for name in dir(evalkit) if not name.startswith("_")]
    assert len(names) <= 12
    for name in names:
        assert getattr(evalkit, name) is not None


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        evalkit.nothing  # noqa: B018


@pytest.mark.parametrize(
    "code", ["import evalkit", "from evalkit.cli import group; group(['--help'], standalone_mode=False)"]
)
def test_import_and_help_do_not_load_torch(code):
    script = f"{code}\nimport sys; sys.exit('torch' in sys.modules or 'datasets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0
