"""Every declared suite end to end: four items of its layout, one refused, one broken; killed, resumed, verified."""

import json
import math
from dataclasses import dataclass
from statistics import fmean

import pytest
from helpers.judged import FILES, ScriptedJudge, small_data, small_images

from evalkit.jobs.options import RunOptions
from evalkit.protocols.judged import declared, load_declaration
from evalkit.provenance.verify import verify_run
from evalkit.runs.store import read_run
from evalkit.tasks.probe import probe
from evalkit.tasks.probe.judged.options import JudgeOptions
from evalkit.tasks.probe.spec import EVIDENCE


@dataclass(frozen=True)
class Case:
    """What the judge answers to good items, the headline under the official policy, the bounds, and what is lost."""

    good: str
    value: float | None
    bounds: tuple[float, float] | None
    lost: dict
    corrected: float | None = None


LOST = {"refused": 1, "unparsed": 1}
LOST4 = {"refused": 4, "unparsed": 4}  # four images an item
_WHOLE = {name: {"score": 2} for name in ("Spelling", "Clarity and Readability", "Logical Consistency")}
EXAM = json.dumps({"answers": [{"answer": 1}, {"answer": 1}], "global_evaluation": _WHOLE})
KRIS = json.dumps({f"{name}_score": 4 for name in ("consistency", "instruction", "knowledge", "quality")})
UNIGEN = Case('<analysis>["a", "b"]</analysis><score>[1, 0]</score>', 0.5, (0.25, 0.75), LOST4)
REASON = Case('{"reason": [], "score": [1, 0.5]}', None, (0.375, 0.875), LOST)
WISE = '{"reason": "", "score": 8}'
WORLD = json.dumps(dict.fromkeys(("prompt_relevance", "aesthetic_quality", "content_coherence", "artifacts"), 4))
BALANCE = '{"success": 8, "kept": 2, "reason": ""}'
GUESSED = (8 + fmean(math.sqrt(8 * guess) for guess in range(11))) / 2
TEN = Case("Yes", 0.8, (0.4, 0.9), {"refused": 10, "unparsed": 10})
CASES = {
    # culture 1.0 twice; physics and chemistry lost: weights .4, .1, .1 are shared out
    "wise": Case("Consistency: 2\nRealism: 2\nAesthetic Quality: 2", None, (2 / 3, 1.0), LOST),
    "wise-verified": Case("Score: 1", None, (0.4 / 0.64, 1.0), LOST),
    # every image has two questions; officially all that is not "yes" is no
    "dpg": Case("yes", 0.5, None, {}, corrected=1.0),
    # consistency alone is lost twice, and guessed
    **dict.fromkeys(("gedit", "gedit-cn"), Case('{"score": [8, 9], "reasoning": ""}', GUESSED, (4.0, 9.0), LOST)),
    "imgedit": Case("a: 4\nb: 3\nc: 5", 4.0, (2.5, 4.5), LOST),
    "geneval2": Case("Yes", 0.8, (0.4, 0.9), LOST),
    "geneval-plus": Case('{"correct": 1, "reason": ""}', 0.5, (0.5, 1.0), LOST),
    "longtext-en": Case("lion boat two words", 0.5, None, {}),
    "longtext-zh": Case("lionboattwowords", 28 / 51, None, {}),
    "tiif-short": Case("Yes, so.\nno", 1.0, (0.5, 1.0), LOST),
    "tiif-long": Case("yes\nno", 1.0, (0.5, 1.0), LOST),
    "t2i-corebench": Case("yes", 1.0, (0.5, 1.0), LOST4),
    "genexam": Case(EXAM, None, (0.5, 1.0), LOST),
    "oneig-alignment": Case("Yes", 0.5, None, {}, corrected=1.0),
    # quality asks without the instruction, so the image's mark alone loses it: JPEG hides it, so it is answered
    "kris": Case(KRIS, 75.0, None, {}),
    "reason-edit": Case('{"score": 8}', 0.8, (0.4, 0.9), LOST),
    "risebench": Case("So **Final Score:** **5**", 0.5, (0.5, 1.0), LOST),
    "vqascore": Case("Yes", 0.8, (0.4, 0.9), LOST),
    **dict.fromkeys([f"unigenbench-{name}" for name in ("en", "zh", "en-long", "zh-long")], UNIGEN),
    # officially nothing is scored where a reply is lost
    **dict.fromkeys([f"t2i-reasonbench-{name}" for name in ("idiom", "textual", "entity", "scientific")], REASON),
    # officially all that is not "yes" is no
    "dsg1k": Case("Yes.", 0.5, None, {}, corrected=1.0),
    # 3 of 3 words and no edit; 2 of 3 and 4 edits; refusals and nonsense are read as texts: 17 and 15 edits
    "oneig-text-en": Case("LION two words", 1 - (0 + 4 + 17 + 15) / 4 * 0.75 * (7 / 12) / 100, None, {}),
    "oneig-text-zh": Case("LION two words", 1 - (0 + 4 + 17 + 15) / 4 * 0.75 * (7 / 12) / 50, None, {}),
    "oneig-alignment-zh": Case("Yes", 0.5, None, {}, corrected=1.0),
    # both languages of a row are left out where one is lost; means of categories are rounded to one digit
    "wiseedit-en": Case(WISE, 77.8, (38.9, 88.9), {"refused": 2, "unparsed": 2}),
    "wiseedit-cn": Case(WISE, 77.8, (38.9, 88.9), {"refused": 2, "unparsed": 2}),
    "wiseedit-complex": Case(WISE, 77.8, (38.9, 88.9), {"refused": 2, "unparsed": 2}),
    "genai-bench": Case("Yes", 0.8, (0.4, 0.9), LOST),
    "imagenworld": Case(WORLD, 0.75, (0.375, 0.875), LOST),
    "gpt-balance-emu": Case(BALANCE, 3.2, (1.6, 6.6), LOST),
    "gpt-balance-pie": Case(BALANCE, 3.2, (1.6, 6.6), LOST),
    **dict.fromkeys([f"t2i-compbench-{name}" for name in ("color", "shape", "texture")], TEN),
    # half of what BLIP-VQA says and half of what UniDet says
    "t2i-compbench-complex": Case("Yes", 0.6, (0.3, 0.8), {"refused": 10, "unparsed": 10}),
    # words are counted over all images: 2 and 1 of 2, none of the two others
    "cvtg-2k": Case("lion sun", 0.375, None, {}),
}
# nobody judges: networks measure
MEASURED = {"pie", "hps-benchmark-v20", "hps-benchmark-v21", "t2i-compbench-non-spatial"}
MEASURED |= {f"oneig-{name}-{ending}" for name in ("style", "reasoning", "diversity") for ending in ("en", "zh")}

MEASURED |= {f"t2i-compbench-{name}" for name in ("spatial", "numeracy", "3d-spatial")}  # by a detector


def options(out):
    return RunOptions(out=out, device="cpu")


def judging(data, judge, folder):
    return JudgeOptions(judge=judge, data=data, replies=folder / "replies.jsonl", tries=2)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr("evalkit.tasks.probe.judged.items._check_files", lambda said, folder: None)
    monkeypatch.setattr("evalkit.tasks.probe.judged.loaders.compbench.noun_phrases", lambda text: [text])
    monkeypatch.setattr("evalkit.tasks.probe.judged.loaders.compbench.without_adjectives", lambda text: text)


def test_every_declared_suite_has_a_case():
    assert {*CASES, *MEASURED} == set(FILES) == set(declared())
    assert {name for name in declared() if not load_declaration(name).calls} == MEASURED


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_suite_is_judged_killed_resumed_and_verified(name, tmp_path):
    case, data = CASES[name], small_data(name, tmp_path / "data")
    images = small_images(name, data, tmp_path / "images")
    killed = ScriptedJudge(case.good, left=2)
    with pytest.raises(KeyboardInterrupt):
        probe(name, images, judge=judging(data, killed, tmp_path), options=options(tmp_path / "run"))
    assert not (tmp_path / "run" / "record.json").exists()
    judge = ScriptedJudge(case.good)
    run = probe(name, images, judge=judging(data, judge, tmp_path), options=options(tmp_path / "run"))
    asked = [*killed.asked, *judge.asked]
    assert len(asked) == len(set(asked))
    told, base = run.record["probe"], f"{name}@fake-vlm"
    by_name = {row["metric"]: row for row in run.results}
    whole = by_name[base]
    assert whole["value"] == (None if case.value is None else pytest.approx(case.value, rel=1e-9))
    assert (whole["status"] == "unavailable") == (case.value is None)
    assert told["lost"] == case.lost
    if case.bounds is not None:
        assert told["bounds"][base] == pytest.approx(list(case.bounds))
    if case.corrected is not None:
        assert by_name[f"{base}/evalkit-1"]["value"] == pytest.approx(case.corrected)
    assert verify_run(run.path).failures == ()
    again = probe(name, evidence=run.path, judge=JudgeOptions(data=data), options=options(tmp_path / "again"))
    assert [row["value"] for row in again.results] == [row["value"] for row in run.results]
    assert (again.path / EVIDENCE).read_bytes() == (run.path / EVIDENCE).read_bytes()
    assert "report.html" in {each.name for each in read_run(run.path).path.iterdir()}
    assert json.loads((run.path / "items.jsonl").read_text().splitlines()[0])["metadata"]["prompt"]
