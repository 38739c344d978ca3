import dataclasses

import pytest

from evalkit.leaderboard.terms import Terms, different, terms_of

ROW = {"task": "reconstruction", "dataset": "photos", "metric": "psnr", "protocol": "evalkit-1", "n": 28}
RECORD = {
    "data": {"digest": "d1"},
    "protocols": [{"id": "evalkit-1", "sha256": "p1"}],
    "judges": {"weights": {"lpips_vgg": "w1", "inception-v3-fid": "w2", "efflite0": "w3", "ocr rapidocr 3.10.0": None}},
}


def test_terms_come_from_record_and_result():
    terms = terms_of(RECORD, ROW, "s1")
    assert terms == Terms("reconstruction", "photos", "psnr", "evalkit-1", 28, "d1", "p1", "", "s1", "photos")


def test_a_folders_name_is_a_label_where_a_digest_tells_the_data():
    record = {"data": {"digest": "d1", "name": "lab"}}
    copy = {"data": {"digest": "d1", "name": "copy"}}
    for part in ("", "/photos", "[Latin]"):
        one = terms_of(record, ROW | {"dataset": f"lab{part}"}, "s1")
        other = terms_of(copy, ROW | {"dataset": f"copy{part}"}, "s1")
        assert one == other
        assert one.digest == other.digest
        assert different(one, dataclasses.replace(other, n=3)) == [("n", "28", "3")]
    assert terms_of(record, ROW | {"dataset": "lab/photos"}, "s1") != terms_of(copy, ROW | {"dataset": "copy"}, "s1")
    unknown = [terms_of({"data": {"name": name}}, ROW | {"dataset": name}, "") for name in ("lab", "copy")]
    assert unknown[0] != unknown[1]


@pytest.mark.parametrize(
    ("metric", "judges"),
    [
        ("lpips_vgg", "lpips_vgg w1"),
        ("fid", "inception-v3-fid w2"),
        ("fid_infinity", "inception-v3-fid w2"),
        ("fd_efflite0", "efflite0 w3"),
        ("cer_truth", "ocr rapidocr 3.10.0"),
        ("ssim", ""),
    ],
)
def test_only_the_networks_behind_a_metric_judge_it(metric, judges):
    assert terms_of(RECORD, ROW | {"metric": metric}, "").judges == judges


def test_a_reference_or_prompts_stand_for_images_that_differ_by_nature():
    for name in ("reference", "prompts"):
        terms = terms_of(RECORD | {name: {"digest": "r1"}}, ROW, "s1")
        assert (terms.data, terms.samples) == ("r1", "")


def test_a_record_that_says_nothing_has_terms_too():
    assert terms_of({}, ROW, "").data == ""
    assert terms_of({"data": None, "protocols": [None], "judges": []}, ROW, "").rules == ""


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"protocol": "vtbench-2025", "rules": "q", "judges": "x"}, ["protocol"]),
        ({"n": 12, "samples": "other"}, ["n"]),
        ({"data": "d2"}, ["digest of the data"]),
        ({"rules": "p2"}, ["rules of the protocol (sha256)"]),
        ({"judges": "lpips_vgg w9"}, ["weights of evaluator networks"]),
        ({"samples": "s2"}, ["measured samples (sha256 of their ids)"]),
        ({}, []),
    ],
)
def test_what_differs_is_named_and_what_follows_from_it_is_not(change, words):
    base = Terms("reconstruction", "photos", "psnr", "evalkit-1", 28, "d1", "p1", "", "s1")
    assert [word for word, _, _ in different(base, dataclasses.replace(base, **change))] == words


def test_equal_terms_have_one_digest_and_others_another():
    base = Terms("reconstruction", "photos", "psnr", "evalkit-1", 28)
    assert base.digest == dataclasses.replace(base).digest
    assert base.digest != dataclasses.replace(base, n=27).digest
