import ast
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import evalkit

STUB = Path(evalkit.__file__).with_suffix(".pyi")


def test_public_names_are_few_and_all_resolve():
    names = [name for name in dir(evalkit) if not name.startswith("_")]
    assert len(names) <= 16
    for name in names:
        assert callable(getattr(evalkit, name))


def test_public_names_are_the_same_for_stars_people_and_type_checkers():
    assert sorted(evalkit.__all__) == dir(evalkit) == sorted({*evalkit._PLACES, "__version__"})
    stub = ast.parse(STUB.read_text(encoding="utf-8"))
    said = {
        each.asname: f"{node.module}:{each.name}"
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for each in node.names
    }
    assert said == {**evalkit._PLACES, "__version__": "evalkit.version:__version__"}
    (names,) = [ast.literal_eval(node.value) for node in stub.body if isinstance(node, ast.Assign)]
    assert names == evalkit.__all__


@pytest.mark.parametrize("name", sorted(evalkit._PLACES))
def test_each_public_name_is_explained_with_an_example_that_runs(name):
    assert ">>> " in getattr(evalkit, name).__doc__  # pytest runs it with --doctest-modules


def test_a_name_that_moves_works_one_version_with_a_note():
    with pytest.warns(FutureWarning, match="evalkit.protocols.load_protocol from the next version on"):
        assert evalkit.load_protocol("evalkit-1").id == "evalkit-1"


def test_the_package_runs_as_a_module():
    said = subprocess.run([sys.executable, "-m", "evalkit", "--version"], capture_output=True, text=True, check=True)
    assert said.stdout == f"evalkit, version {evalkit.__version__}\n"


def test_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        evalkit.nothing  # noqa: B018


@pytest.mark.parametrize(
    "code",
    [
        "import evalkit",
        "from evalkit.cli import group; group(['--help'], standalone_mode=False)",
        "from evalkit.leaderboard import compare, firsts, make, track",
    ],
)
def test_import_and_help_do_not_load_torch(code):
    script = f"{code}\nimport sys; sys.exit('torch' in sys.modules or 'datasets' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


ROOT = Path(evalkit.__file__).parent.parent
BUILD = "import sys, hatchling.build as build; print(getattr(build, sys.argv[1])(sys.argv[2]))"


def built(root, what, out):
    """The wheel that the build backend makes of the folder `root`."""
    pytest.importorskip("hatchling")
    made = subprocess.run(
        [sys.executable, "-c", BUILD, what, out], cwd=root, capture_output=True, text=True, check=True
    )
    return zipfile.ZipFile(out / made.stdout.strip())


def test_the_wheel_holds_every_file_of_the_package_and_no_other(tmp_path):
    held = {name for name in built(ROOT, "build_wheel", tmp_path).namelist() if ".dist-info/" not in name}
    files = (path.relative_to(ROOT).as_posix() for path in (ROOT / "evalkit").rglob("*") if path.is_file())
    assert held == {name for name in files if "__pycache__" not in name}


OWN = {".py", ".pyi", ".toml", ".css", ".js", ".jinja", ".html", ".typed", ""}  # written for evalkit
FOREIGN = {  # places of everything else in the wheel, with their licences; nothing non-commercial, nothing unlicensed
    "images/sample": "public domain, CC0-1.0, CC-BY-2.0",
    "encoders/data/lpips_heads.safetensors": "BSD-2-Clause",
    "encoders/data/yunet_s.safetensors": "Apache License 2.0",
    "metrics/data/niqe.npz": "The University of Texas at Austin",
    "world/data": "Apache License 2.0",
    "world/second/data": "Apache License 2.0",
    "tasks/probe/geneval/data/evaluation_metadata.jsonl": "MIT",
}
WRITTEN_HERE = {"watermark/service/answer.schema.json"}


def test_every_file_that_others_made_has_a_licence_in_the_notice():
    package, notice = ROOT / "evalkit", (ROOT / "NOTICE").read_text(encoding="utf-8")
    files = (path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file())
    data = {name for name in files if "__pycache__" not in name and Path(name).suffix not in OWN} - WRITTEN_HERE
    found = {name: next((place for place in FOREIGN if name.startswith(place)), None) for name in data}
    assert [name for name, place in found.items() if place is None] == []
    assert set(found.values()) == set(FOREIGN)
    for place, licence in FOREIGN.items():
        assert f"evalkit/{place}" in notice, place
        assert all(part in notice.replace("\n  ", " ") for part in licence.split(", ")), place
        assert "NC" not in licence


def test_an_editable_install_is_found_from_the_folder_above_a_clone_of_its_name(tmp_path):
    clone, place = tmp_path / "evalkit", tmp_path / "site"
    (clone / "evalkit").mkdir(parents=True)
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "NOTICE",
        "evalkit/__init__.py",
        "evalkit/moved.py",
        "evalkit/version.py",
    ):
        shutil.copy(ROOT / name, clone / name)
    place.mkdir()
    built(clone, "build_editable", place).extractall(place)
    script = f"import site; site.addsitedir({str(place)!r}); import evalkit; print(evalkit.__version__)"
    alone = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    said = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=tmp_path, env=alone, capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == evalkit.__version__
