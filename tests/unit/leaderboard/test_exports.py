import copy
import csv
import io
import json
import re
from pathlib import Path

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from evalkit.errors import EvalkitError
from evalkit.leaderboard import make_leaderboard
from evalkit.leaderboard.hub import parse_benchmark
from evalkit.leaderboard.tables import COLUMNS

from .draft07 import complaints

SCHEMA = json.loads((Path(__file__).parent / "data" / "every_eval_ever-0.3.0.schema.json").read_text(encoding="utf-8"))
HOSTILE = "<b>|`x`|</b>\u202e=1+1\n# % & _ \\ {\x1b[31m"


@pytest.fixture
def three(runs, noise):
    a = runs.run("a", noise(1) + 0.3, row={"low": 24.0, "high": 26.5, "unit": "dB"})
    b = runs.run("b", noise(2), row={"unit": "dB"})
    c = runs.run("c", noise(3), results=[runs.result("psnr", None, 0)])
    return a, b, c


def test_the_csv_has_a_row_a_number_and_says_what_is_missing(runs, three, tmp_path):
    runs.make(tmp_path / "board", *three)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "board/leaderboard.csv").read_text(encoding="utf-8"))))
    assert [(row["system"], row["status"], row["rank_best"], row["rank_worst"]) for row in rows] == [
        ("a", "measured", "1", "1"),
        ("b", "measured", "2", "2"),
        ("c", "missing", "", ""),
    ]
    assert set(rows[0]) == set(COLUMNS)
    assert float(rows[1]["gap_low"]) < float(rows[1]["gap_to_first"]) < float(rows[1]["gap_high"])
    assert rows[2]["value"] == ""
    assert rows[2]["reason"] == "its weights are not here"


def test_the_table_of_all_boards_holds_each_system_once_with_its_intervals(runs, three, tmp_path):
    runs.make(tmp_path / "board", *three)
    table = (tmp_path / "board/table.tex").read_text(encoding="utf-8")
    rows = [line.split(" & ") for line in table.splitlines() if line.endswith("\\\\") and "System" not in line]
    assert [row[0] for row in rows] == ["a", "b", "c"]
    assert rows[0][1].startswith("\\textbf{")  # first at 95 % confidence
    assert "[24.00 to 26.50]" in rows[0][1]
    assert "textbf" not in rows[1][1]
    assert rows[2][1].startswith("---")
    head, first, *_, last = csv.reader(io.StringIO((tmp_path / "board/table.csv").read_text(encoding="utf-8")))
    assert head == ["system", "PSNR on photos", "PSNR on photos low", "PSNR on photos high", "PSNR on photos n"]
    assert first[0] == "a"
    assert [float(each) for each in first[2:]] == [24.0, 26.5, 60]
    assert last == ["c", "", "", "", ""]


def test_a_folder_of_runs_is_ranked_from_python_too(runs, three, tmp_path):
    made = make_leaderboard(three[0].parent, tmp_path / "board")
    assert [each.name for each in made.entrants] == ["a", "b", "c"]


def test_the_json_names_its_parents_and_holds_the_same_ranks(runs, three, tmp_path):
    from evalkit.provenance.files import digest

    runs.make(tmp_path / "board", *three)
    found = json.loads((tmp_path / "board/leaderboard.json").read_bytes())
    assert [each["record"] for each in found["parents"]] == [digest(path / "record.json") for path in three]
    assert found["parents"][0]["files"]["samples.parquet"] == digest(three[0] / "samples.parquet")
    assert (tmp_path / "board" / found["parents"][0]["path"]).resolve() == three[0].resolve()
    (board,) = found["boards"]
    assert [(s["system"], s["rank_interval"]) for s in board["standings"]] == [("a", [1, 1]), ("b", [2, 2])]
    assert board["terms"]["n"] == 60
    assert board["missing"] == [{"system": "c", "reason": "its weights are not here"}]


def test_the_same_runs_give_the_same_bytes(runs, three, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1760000000")
    for name in ("one", "two"):
        runs.make(tmp_path / name, *three)
    for path in sorted((tmp_path / "one").rglob("*")):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()


def test_markdown_and_latex_show_every_system_and_the_verdict(runs, three, tmp_path):
    runs.make(tmp_path / "board", *three)
    markdown = (tmp_path / "board/leaderboard.md").read_text(encoding="utf-8")
    assert "## PSNR on photos ↑" in markdown
    assert "a is first at 95 % confidence" in markdown
    assert "- not ranked: c: its weights are not here" in markdown
    table = [line for line in markdown.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    latex = (tmp_path / "board/leaderboard.tex").read_text(encoding="utf-8")
    assert latex.count("\\begin{table}") == latex.count("\\end{table}") == 1
    assert "\\addlinespace" in latex
    assert "1 & a & " in latex


def test_hostile_names_are_text_in_every_format(runs, noise, tmp_path):
    runs.run("a", noise(1), record={"model": {"name": HOSTILE}})
    runs.run("b", noise(2), record={"model": {"name": "=HYPERLINK(1)"}})
    runs.make(tmp_path / "board", organization="us", benchmarks=("o/n:t=psnr",))
    markdown = (tmp_path / "board/leaderboard.md").read_text(encoding="utf-8")
    rows = [line for line in markdown.splitlines() if line.startswith("| ")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in rows}) == 1
    assert "<b>" not in markdown
    latex = (tmp_path / "board/leaderboard.tex").read_text(encoding="utf-8")
    assert r"\textless{}b\textgreater{}\textbar{}" in latex
    assert r"\# \% \& \_ \textbackslash{} \{" in latex
    sheet = (tmp_path / "board/leaderboard.csv").read_text(encoding="utf-8")
    assert "\x1b" not in sheet + markdown + latex
    assert "\u202e" not in sheet + markdown + latex
    systems = [row["system"] for row in csv.DictReader(io.StringIO(sheet))]
    assert "'=HYPERLINK(1)" in systems
    for path in (tmp_path / "board/eval_results").iterdir():
        yaml.safe_load(path.read_text(encoding="utf-8"))


def test_infinite_values_are_words_and_no_export_breaks(runs, tmp_path):
    rows = [[runs.result("psnr", "inf", 3)], [runs.result("psnr", 20.0, 3)]]
    paths = [runs.bare(name, row) for name, row in zip("ab", rows, strict=True)]
    runs.make(tmp_path / "board", *paths, organization="us")
    found = json.loads((tmp_path / "board/leaderboard.json").read_bytes(), parse_constant=pytest.fail)
    assert [each["value"] for each in found["boards"][0]["standings"]] == ["inf", 20.0]
    assert "∞" in (tmp_path / "board/leaderboard.md").read_text(encoding="utf-8")
    assert len(list((tmp_path / "board/every_eval_ever").rglob("*.json"))) == 1


def every_eval_ever(folder):
    return {
        path.relative_to(folder).as_posix(): json.loads(path.read_bytes()) for path in sorted(folder.rglob("*.json"))
    }


def test_every_eval_ever_entries_keep_its_schema(runs, three, tmp_path):
    runs.make(tmp_path / "board", *three, organization="A lab")
    made = every_eval_ever(tmp_path / "board/every_eval_ever")
    assert len(made) == 2
    for path, entry in made.items():
        assert complaints(entry, SCHEMA) == []
        assert re.fullmatch(
            r"data/evalkit/unknown/[ab]/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\.json", path
        )
    first = next(iter(made.values()))
    (result,) = first["evaluation_results"]
    assert result["score_details"]["uncertainty"]["confidence_interval"]["lower"] == 24.0
    assert result["metric_config"]["lower_is_better"] is False
    assert first["source_metadata"]["source_organization_name"] == "A lab"


def test_every_eval_ever_agrees_with_jsonschema_where_it_is_installed(runs, three, tmp_path):
    jsonschema = pytest.importorskip("jsonschema")
    runs.make(tmp_path / "board", *three, organization="A lab")
    for entry in every_eval_ever(tmp_path / "board/every_eval_ever").values():
        jsonschema.Draft7Validator(SCHEMA).validate(entry)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda entry: entry.pop("model_info"),
        lambda entry: entry.update(more=1),
        lambda entry: entry["evaluation_results"][0]["metric_config"].pop("min_score"),
        lambda entry: entry["evaluation_results"][0]["metric_config"].update(lower_is_better="no"),
        lambda entry: entry["evaluation_results"][0]["score_details"].update(score="25"),
        lambda entry: entry["source_metadata"].update(source_type="dream"),
        lambda entry: entry["evaluation_results"][0].update(source_data={"dataset_name": "x", "source_type": "url"}),
    ],
)
def test_the_check_of_the_schema_finds_what_is_wrong(runs, three, tmp_path, spoil):
    runs.make(tmp_path / "board", *three, organization="A lab")
    entry = copy.deepcopy(next(iter(every_eval_ever(tmp_path / "board/every_eval_ever").values())))
    spoil(entry)
    assert complaints(entry, SCHEMA) != []


def test_the_hub_reads_its_results_back(runs, three, tmp_path):
    runs.make(tmp_path / "board", *three, benchmarks=("owner/set:val=psnr",))
    files = sorted((tmp_path / "board/eval_results").iterdir())
    assert [file.name for file in files] == ["000-a.yaml", "001-b.yaml"]
    (entry,) = parse_eval_result_entries(yaml.safe_load(files[0].read_text(encoding="utf-8")))
    assert (entry.dataset_id, entry.task_id, entry.date) == ("owner/set", "val", "2026-11-26T10:00:00Z")
    assert isinstance(entry.value, float)
    assert "PSNR in dB, protocol evalkit-1, n = 60 of photos, 95 % interval 24 to 26.5" in entry.notes
    assert entry.verify_token is None


@pytest.mark.parametrize("text", ["x", "owner/set=psnr", "owner/set:val", "set:val=psnr", "o/n:t=a b"])
def test_what_names_no_benchmark_is_explained(text):
    with pytest.raises(EvalkitError, match="give OWNER/NAME:TASK=METRIC"):
        parse_benchmark(text)


def test_a_benchmark_is_one_board(runs, noise, tmp_path):
    rows = [[runs.result("psnr", 20.0, 3, dataset=name) for name in ("day", "night")] for _ in range(2)]
    paths = [
        runs.bare(name, row, record={"created": f"2026-11-0{i + 1}"})
        for i, (name, row) in enumerate(zip("ab", rows, strict=True))
    ]
    with pytest.raises(
        EvalkitError, match=r"psnr has several boards; give one by its name instead: .* on day"
    ) as error:
        runs.make(tmp_path / "board", *paths, benchmarks=("o/n:t=psnr",))
    board = re.search(r"(\w{8}) on night", str(error.value)).group(1)
    runs.make(tmp_path / "board", *paths, benchmarks=(f"o/n:t={board}",))
    with pytest.raises(EvalkitError, match="metrics here: psnr"):
        runs.make(tmp_path / "board", *paths, benchmarks=("o/n:t=fid",))
