"""Whatever a run is called and says, every format stays whole and shows it as text."""

import csv
import io
import json
import re
import shutil
from html.parser import HTMLParser

import yaml
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from evalkit.leaderboard import LeaderboardOptions, make_leaderboard
from evalkit.systems import list_systems
from evalkit.tokenizers.cards import list_models

TEXT = st.text(st.characters(codec=None), min_size=1, max_size=24)
ACTIVE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
KNOWN = {name for card in list_models() for name in (card.name, *card.aliases)} | {card.id for card in list_systems()}
QUIET = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


class Tags(HTMLParser):
    """The tags of a page, and attributes that would run something."""

    def __init__(self):
        super().__init__()
        self.tags, self.acting = set(), []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.acting += [(tag, name) for name, _ in attributes if name.startswith("on") or name == "style"]


def tags_of(html):
    parser = Tags()
    parser.feed(html)
    return parser


@QUIET
@example("</script><script>alert(1)</script>", "\ud800", "| a\n# b", "\x1b[31m\u202e")
@example('"><img src=x onerror=1>', "{{ 7 * 7 }}", "=cmd|'/c calc'!A0", "\\input{x}$%&_^~#{}")
@given(TEXT, TEXT, TEXT, TEXT)
def test_any_text_is_text_in_every_format(runs, tmp_path, name, dataset, reason, sample):
    assume({name, sample}.isdisjoint(KNOWN))  # those bring reported numbers along
    shutil.rmtree(runs.place, ignore_errors=True)
    row = {"dataset": dataset, "ci_method": reason}
    rows = [runs.result("psnr", 2.0, 3, **row), runs.result("ssim", None, 0, dataset=dataset, reason=reason)]
    other = [runs.result("psnr", 3.0, 3, **row), runs.result("ssim", 0.5, 3, dataset=dataset)]
    ids = [f"{sample}{i}".encode("utf-8", "backslashreplace").decode() for i in range(3)]
    runs.run("one", [1.0, 2.0, 3.0], results=rows, ids=ids, record={"model": {"name": name}, "command": [name]})
    runs.run("two", [2.0, 3.0, 4.0], results=other, ids=ids, record={"model": {"name": sample, "title": reason}})
    out = tmp_path / "board"
    benchmarks = ("o/n:t=psnr",)
    made = make_leaderboard(
        sorted(runs.place.iterdir()), out, LeaderboardOptions(organization="lab", benchmarks=benchmarks)
    )
    page = made.path.read_text(encoding="utf-8")
    found = tags_of(page)
    assert found.acting == []
    assert not found.tags & {"img", "iframe", "object", "embed", "base"}
    assert page.count("<script>") == 1
    sheet = (out / "leaderboard.csv").read_text(encoding="utf-8")
    lines = list(csv.DictReader(io.StringIO(sheet)))
    assert [line["status"] for line in lines] == ["measured", "measured", "measured", "missing"]
    assert not any(
        value.startswith(("=", "+", "-", "@")) for line in lines for value in (line["system"], line["reason"])
    )
    markdown = (out / "leaderboard.md").read_text(encoding="utf-8")
    tables = [line for line in markdown.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in tables} == {9}
    latex = (out / "leaderboard.tex").read_text(encoding="utf-8")
    assert latex.count("\\begin{") == latex.count("\\end{")
    for text in (page, sheet, markdown, latex):
        assert not ACTIVE.search(text)
    assert len(json.loads((out / "leaderboard.json").read_bytes())["boards"]) == 2
    for file in (out / "eval_results").iterdir():
        assert len(yaml.safe_load(file.read_text(encoding="utf-8"))) == 1
    for file in (out / "data").iterdir():
        text = file.read_text(encoding="ascii")
        assert "<" not in text
        json.loads(text[text.index(" = ") + 3 :].rstrip().removesuffix(";"))
