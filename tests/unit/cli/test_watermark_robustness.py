"""`evalkit watermark robustness`."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from evalkit.cli.watermark_robustness import robustness
from evalkit.errors import EvalkitError
from evalkit.images.encode import png_bytes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    rng = np.random.default_rng(0)
    for number in range(3):
        (photos / f"{number}.png").write_bytes(png_bytes(rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)))
    (tmp_path / "my.key").write_text("01" * 31 + "02")
    return tmp_path


def arguments(folder: Path, *more: str) -> list[str]:
    return [
        str(folder / "photos"), "--key", str(folder / "my.key"), "--tokenizer", "world-vq", "--attack", "jpeg:75",
        "--out", str(folder / "out"), *more,
    ]  # fmt: skip


def test_table_files_and_report(folder: Path) -> None:
    done = CliRunner().invoke(robustness, arguments(folder), env={"COLUMNS": "120"}, catch_exceptions=False)
    assert done.exit_code == 0
    for said in ("jpeg:75", "lbw-world-vq", "found at 0.001", "report:"):
        assert said in done.output
    assert (folder / "out" / "report.html").exists()
    again = CliRunner().invoke(robustness, arguments(folder, "--json"), catch_exceptions=False)
    rows = json.loads(again.output)["rows"]
    assert [row["attack"] for row in rows] == ["none", "jpeg:75"]
    assert "01" * 31 not in (folder / "out" / "plan.json").read_text()


def test_a_peer_that_is_not_installed_is_told_and_the_others_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "imwatermark", None)
    done = CliRunner().invoke(robustness, arguments(folder, "--peer", "dwtDct"), env={"COLUMNS": "120"})
    assert done.exit_code == 0
    assert "pip install invisible-watermark" in done.output
    with pytest.raises(EvalkitError, match="there is no peer 'nobody'"):
        CliRunner().invoke(robustness, arguments(folder, "--peer", "nobody"), catch_exceptions=False)


def test_a_broken_image_ends_with_code_1(folder: Path) -> None:
    (folder / "photos" / "x.png").write_bytes(b"nothing")
    done = CliRunner().invoke(robustness, arguments(folder), env={"COLUMNS": "120"})
    assert done.exit_code == 1
    assert "x.png" in done.output


def test_a_mark_that_carries_a_message_is_attacked_like_any_other(folder: Path) -> None:
    more = ("--method", "payload", "--layout", "id:8", "--carrier", "places", "--message", "id=5", "--json")
    done = CliRunner().invoke(robustness, arguments(folder, *more), catch_exceptions=False)
    rows = json.loads(done.output)["rows"]
    assert {row["contender"] for row in rows} == {"payload-world-vq"}
    plan = json.loads((folder / "out" / "plan.json").read_text())
    assert plan["parameters"]["contenders"][0]["record"]["mark"]["message"] == "id=5"
