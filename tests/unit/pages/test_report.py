import base64
import dataclasses
import hashlib
import re
import shutil

import numpy as np
import pyarrow as pa
import pytest

from evalkit.errors import EvalkitError
from evalkit.pages import write_report
from evalkit.pages.summary import First
from evalkit.runs import read_run

HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(2)>'&amp;.png"
SECTIONS = {"numbers", "distributions", "worst", "texts", "failed", "run"}


def sample(index, **more):
    row = {"id": f"{index:03d}.png", "protocol": "evalkit-1", "subset": "photos", "psnr": 20.0 + index % 9, "ssim": 0.8}
    text = dict.fromkeys(("text_truth", "text_original", "text_reconstruction", "cer_truth", "cer_original"))
    return {**row, **text, "error": None, **more}


def read_text(index, truth, original, reconstruction, cer=0.5, **more):
    read = {"text_truth": truth, "text_original": original, "text_reconstruction": reconstruction}
    return sample(index, **read, cer_original=cer, **more)


def test_page_holds_every_promised_part(make_run, page_of):
    page = page_of(make_run())
    assert {attrs["id"] for attrs in page.all("section")} == SECTIONS
    text = page.text()
    assert "jpeg-lm on 8 images of sample (evalkit-1, 23 November 2026): PSNR 24.50" in text
    for expected in ("23.10 to 25.90", "0.0500 to 0.2000", "sha256 " + "ab" * 32, "cd" * 32, "Seconds by stage"):
        assert expected in text
    assert "evalkit tokenizer -m jpeg-lm -d 'my photos'" in text
    assert "the run is bound by ocr" in text
    assert "amplified 4 times" in text
    assert len(page.all("img")) == 9
    assert [i["data-kind"] for i in page.all("img")][:3] == ["original", "reconstruction", "difference"]


def test_links_lead_to_places_on_the_page(make_run, page_of):
    page = page_of(make_run(samples=[sample(0), sample(1, psnr=None, ssim=None, error="truncated")]))
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"] for attrs in page.all("a")} <= {f"#{id}" for id in ids}


def test_page_is_one_file_without_references_to_anything_outside(make_run, page_of):
    page = page_of(make_run("a"), make_run("b"))
    assert not page.all("link")
    assert not page.all("iframe")
    for _, attrs in page.elements:
        assert attrs.get("src", "data:").startswith("data:")
        assert not {"srcset", "xlink:href", "poster", "background", "action"} & set(attrs)
    assert "url(" not in page.within("style")
    assert "@import" not in page.within("style")
    assert not re.search(r"fetch|XMLHttp|import\(|https?:|WebSocket|eval", page.within("script"))


def test_policy_allows_just_the_style_and_script_of_the_page(make_run, page_of):
    page = page_of(make_run())
    (policy,) = (m["content"] for m in page.all("meta") if m.get("http-equiv"))
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        digest = base64.b64encode(hashlib.sha256(page.within(tag).encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not any("style" in attrs or any(a.startswith("on") for a in attrs) for _, attrs in page.elements)


def test_markup_in_data_stays_text(make_run, page_of):
    bad = sample(1, psnr=None, ssim=None, error=f"broken {HOSTILE}", id=f"bad{HOSTILE}")
    rows = [sample(0, id=HOSTILE, subset=HOSTILE), read_text(2, f"truth {HOSTILE}", HOSTILE, f"x {HOSTILE}"), bad]
    record = {
        "command": ["evalkit", HOSTILE],
        "model": {"name": HOSTILE, "title": HOSTILE, "weights_sha256": None, "card": {"note": HOSTILE}},
        "data": {"spec": HOSTILE, "name": HOSTILE, "n": 3, "digest": "d"},
        "timings": {"seconds": {HOSTILE: 1.0}, "bound_by": HOSTILE},
        "environment": {"python": HOSTILE, "packages": {HOSTILE: HOSTILE}},
    }
    run = make_run(samples=rows, record=record, images=1, texts=["002.png"])
    results = [{**r, "dataset": HOSTILE, "metric": HOSTILE, "unit": HOSTILE} for r in run.results]
    results += [{**r, "reason": HOSTILE, "ci_method": HOSTILE, "task": HOSTILE} for r in run.results]
    page = page_of(dataclasses.replace(run, results=results))
    assert len(page.all("script")) == 1
    assert not any("onerror" in attrs for _, attrs in page.elements)
    assert all(attrs["src"].startswith("data:") for attrs in page.all("img"))
    assert page.text().count("<script>alert(1)</script>") >= 10


def test_comparison_of_runs_with_markup_in_names_stays_text(make_run, page_of):
    runs = [make_run(HOSTILE + str(i), folder=f"run{i}") for i in range(2)]
    page = page_of(*runs)
    assert len(page.all("script")) == 1
    assert not any("onerror" in attrs for _, attrs in page.elements)


def test_control_and_direction_characters_are_seen_and_do_nothing(make_run, page_of):
    evil = "a\x00\x1b[31m\u202egpj.exe\u2028\ufeffz\nb"
    bad = sample(1, psnr=None, ssim=None, error=evil, id=f"bad {evil}")
    page = page_of(make_run(samples=[sample(0, id=evil), bad, read_text(2, evil, evil, evil + "x")]))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069\ufeff]", page.source)
    assert r"a\x00\x1b[31m\u202egpj.exe\u2028\ufeffz\x0ab" in page.text()


def test_names_and_texts_of_any_direction_are_isolated(make_run, page_of):
    arabic, hebrew = "مكتبة المدينة", "שלום עולם"
    bad = sample(1, psnr=None, ssim=None, error=f"reason {hebrew}", id=f"{hebrew}.png")
    run = make_run(samples=[sample(0, id=f"{arabic}.png"), bad, read_text(2, arabic, arabic, "abc")], images=1)
    page = page_of(run)
    for text in (f"{arabic}.png", f"{hebrew}.png", f"reason {hebrew}"):
        homes = [tags for tags, data in page.texts if text in data]
        assert homes
        assert all("bdi" in tags for tags in homes)
    readings = [attrs for attrs in page.all("dd") if attrs.get("dir") == "auto"]
    assert len(readings) == 2


def test_same_run_gives_same_bytes_wherever_it_lies(make_run, tmp_path):
    run = make_run(texts=["photos/00.png"])
    moved = shutil.copytree(run.path, tmp_path / "elsewhere" / "x")
    first = write_report([run], tmp_path / "1.html").read_bytes()
    assert first == write_report([read_run(moved)], tmp_path / "2.html").read_bytes()
    assert str(tmp_path) not in first.decode()


def test_page_stays_below_six_megabytes_with_images_that_do_not_compress(make_run, tmp_path):
    rows = [read_text(i, "t " * 3000, "o " * 3000, "r " * 3000) for i in range(12)]
    text_ids = [row["id"] for row in rows[:8]]
    run = make_run(samples=rows, images=12, texts=text_ids, side=520, noise=120)
    for count in (1, 20):
        page = write_report([run] * count, tmp_path / "big.html")
        assert 1_000_000 < page.stat().st_size < 6_000_000


def test_the_worst_of_all_kept_images_are_shown_where_all_were_kept(make_run, page_of):
    run = make_run(samples=[sample(i) for i in range(15)], images=15)
    kept = [{**p, "kind": "kept", "scores": {"psnr": 40.0 - p["rank"] if p["rank"] > 1 else None}} for p in run.images]
    page = page_of(dataclasses.replace(run, images=kept))
    shown = [f["data-id"] for f in page.all("figure") if "data-id" in f]
    assert shown == [f"{i:03d}.png" for i in range(14, 2, -1)]  # lossless ones last


def test_images_that_do_not_fit_are_counted(make_run, page_of):
    run = make_run(samples=[sample(i) for i in range(12)], images=12)
    more = dataclasses.replace(run, images=[{**p, "rank": r * 100 + p["rank"]} for r in range(3) for p in run.images])
    page = page_of(more)
    assert len(page.all("img")) == 36
    assert "24 more kept in images/" in page.text()


def test_a_million_samples_make_a_small_page(make_run, tmp_path):
    n = 1_000_000
    numbers = np.arange(n)
    failed = numbers % 10 == 0
    columns = {
        "id": pa.array(numbers).cast(pa.string()),
        "protocol": pa.DictionaryArray.from_arrays(np.zeros(n, np.int8), ["evalkit-1"]).cast(pa.string()),
        "psnr": pa.array(20 + numbers % 17, pa.float64(), mask=failed),
        "error": pa.array(np.where(failed, "truncated file", ""), pa.string(), mask=~failed),
    }
    run = dataclasses.replace(make_run(), samples=pa.table(columns))
    page = write_report([run], tmp_path / "million.html").read_text()
    assert len(page) < 500_000
    assert "100,000 failed; the first 50 are listed" in page
    assert page.count("truncated file") == 50
    assert "n 900,000" in page


@pytest.mark.parametrize(
    "drop",
    [
        ("error",),
        ("psnr", "ssim", "bpp"),
        ("subset", "protocol"),
        ("text_truth", "cer_truth", "cer_original"),
        ("text_reconstruction",),
    ],
)
def test_missing_columns_leave_the_rest_of_the_page(make_run, page_of, drop):
    page = page_of(make_run(samples=[sample(0), read_text(1, "open daily", "open daily", "open dally")], drop=drop))
    assert "24.50" in page.text()
    assert ("dally" in page.text()) == ("text_reconstruction" not in drop)


def test_sparse_records_of_other_versions_still_make_a_page(make_run, page_of):
    run = make_run()
    record = {
        "model": {"name": "old"},
        "data": {"name": "photos", "n": 3},
        "protocols": [{"id": "evalkit-1"}],
        "timings": None,
    }
    text = page_of(dataclasses.replace(run, record=record, images=[])).text()
    assert "old on 3 images of photos (evalkit-1): PSNR" in text
    assert "No images to show" in text


def test_unavailable_numbers_stay_in_the_table_with_reason_and_cure(make_run, page_of):
    page = page_of(make_run())
    assert "LPIPS (AlexNet)" in page.text()
    (link,) = (a for a in page.all("a") if a["href"].startswith("#note-"))
    assert link["href"] == "#note-1"
    assert "fetch alexnet.pth and pass --weights" in page.within("ol")


def with_values(run, **intervals):
    rows = [r for r in run.results if r["metric"] in intervals]
    changed = []
    for row in rows:
        low, high = intervals[row["metric"]]
        changed.append({**row, "value": (low + high) / 2, "low": low, "high": high})
    return dataclasses.replace(run, results=changed)


def test_several_runs_stand_in_columns_and_only_the_first_are_marked(make_run, page_of):
    a = with_values(make_run("a"), psnr=(20.0, 22.0), ssim=(0.5, 0.7), bpp=(0.2, 0.3))
    b = with_values(make_run("b"), psnr=(23.0, 25.0), ssim=(0.6, 0.8), bpp=(0.8, 0.9))
    both = frozenset({0, 1})
    row = ("evalkit-1", "reconstruction", "sample/photos")
    page = page_of(a, b, firsts={(*row, "psnr"): First(1, both), (*row, "bpp"): First(0, both)})
    marked = [data.strip() for tags, data in page.texts if "td" in tags and "first at 95 %" in data]
    assert len(marked) == 2
    cells = [attrs for attrs in page.all("td") if "best" in attrs.get("class", "").split()]
    assert [c["data-value"] for c in cells] == ["24.0", "0.25"]
    assert "b is first at 95 % confidence in PSNR 24.00\u202fdB (23.00 to 25.00)".replace("\u202f", " ") in page.text()
    assert sum("against rate" in data for _, data in page.texts) == 2


def test_runs_on_different_images_are_shown_but_not_ranked(make_run, page_of):
    a = with_values(make_run("a"), psnr=(20.0, 22.0))
    other = {"data": {"spec": "x", "name": "x", "n": 8, "digest": "ee" * 32}}
    b = with_values(make_run("b", record=other), psnr=(23.0, 25.0))
    page = page_of(a, b)
    assert not [attrs for attrs in page.all("td") if "best" in attrs.get("class", "").split()]
    assert "These runs saw different images" in page.text()
    assert "against rate" not in page.text()


def test_twenty_runs_fit_one_page(make_run, page_of):
    runs = [with_values(make_run(f"model-{i}"), psnr=(20 + i, 20.5 + i), bpp=(i, i + 0.5)) for i in range(20)]
    page = page_of(*runs)
    assert "20 tokenizers compared" in page.text()
    assert len([c for c in page.all("th") if "model" not in c and c.get("scope") == "col"]) >= 22
    assert len(page.all("img")) == 20 * 3 * 3


def test_two_runs_of_one_model_are_told_apart_by_folder(make_run, page_of):
    page = page_of(make_run("m", folder="first"), make_run("m", folder="second"))
    assert "m · first" in page.text()
    assert "m · second" in page.text()


def test_several_protocols_are_kept_apart_and_their_differences_listed(make_run, page_of):
    run = make_run(protocols=("evalkit-1", "vtbench-2025"))
    both = [*run.results, *({**r, "protocol": "vtbench-2025", "value": 11.25} for r in run.results[:1])]
    rows = [sample(0), sample(0, protocol="vtbench-2025", psnr=99.0)]
    page = page_of(dataclasses.replace(run, results=both, samples=pa.Table.from_pylist(rows)))
    text = page.text()
    assert "11.25" in text
    assert "How the protocols differ" in text
    values = page.inside("td")
    assert values[values.index("pooled") - 1] == "mean"
    assert "psnr.aggregate" in page.inside("th")
    assert "What vtbench-2025 does that a reader would not expect" in text
    assert "WER counts characters" in text
    assert "99.00" not in text  # distributions are those of the first protocol


def test_a_sample_that_fails_under_each_protocol_is_one_failure(make_run, page_of):
    bad = sample(1, psnr=None, ssim=None, error="truncated")
    rows = [sample(0), bad, {**bad, "protocol": "vtbench-2025"}]
    page = page_of(make_run(samples=rows, protocols=("evalkit-1", "vtbench-2025")))
    assert "1 failed" in page.text()
    assert page.within("td").count("001.png") == 1


def test_a_run_without_one_readable_sample_says_so(make_run, page_of):
    rows = [sample(i, psnr=None, ssim=None, error="not an image") for i in range(3)]
    none = [
        {
            "value": None,
            "low": None,
            "high": None,
            "status": "unavailable",
            "reason": "no image could be read",
            "n": 0,
        }
    ]
    run = make_run(samples=rows, images=0)
    page = page_of(dataclasses.replace(run, results=[{**r, **none[0]} for r in run.results]))
    text = page.text()
    assert "nothing could be measured" in text
    assert "3 failed" in text
    assert text.count("not an image") == 3
    assert "no image could be read" in text
    assert "distributions" not in {attrs["id"] for attrs in page.all("section")}


def test_texts_show_what_was_lost_against_the_truth_in_both_readings(make_run, page_of):
    rows = [sample(0), read_text(1, "open daily", "open dailv", "opn daily", cer_truth=0.1)]
    page = page_of(make_run(samples=rows, texts=["001.png"], images=0))
    assert [t for t in page.inside("del") if t != "missing"] == ["open", "daily"]
    assert [t for t in page.inside("ins") if t != "added"] == ["opn", "dailv"]
    assert "against the true text" in page.text()
    assert [i["data-kind"] for i in page.all("img")] == ["original", "reconstruction"]


def test_texts_without_truth_are_compared_with_the_reading_of_the_original(make_run, page_of):
    page = page_of(make_run(samples=[read_text(1, None, "open daily", "open dally"), read_text(2, None, None, "")]))
    assert [t for t in page.inside("del") if t != "missing"] == ["daily"]
    assert "against the OCR of the original" in page.text()
    assert page.text().count("nothing") == 2


def test_page_without_scripts_hides_nothing(make_run, page_of):
    page = page_of(make_run())
    assert not any("hidden" in attrs for _, attrs in page.elements)
    assert all("open" in attrs for attrs in page.all("details"))


def test_images_and_figures_speak(make_run, page_of):
    page = page_of(make_run())
    assert all(attrs["alt"] and attrs["width"] and attrs["height"] for attrs in page.all("img"))
    assert page.all("svg")
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in page.all("svg"))
    assert all(attrs.get("scope") for attrs in page.all("th"))


def test_a_run_of_another_kind_is_refused_with_where_to_look(make_run, tmp_path):
    runs = [make_run("a"), make_run("b", record={"task": "generate"})]
    with pytest.raises(EvalkitError, match=r"b is a run of `evalkit generate`.*evalkit view .*b$"):
        write_report(runs, tmp_path / "page.html")


def test_no_run_is_a_clear_error(tmp_path):
    with pytest.raises(EvalkitError, match="at least one finished run"):
        write_report([], tmp_path / "x.html")
