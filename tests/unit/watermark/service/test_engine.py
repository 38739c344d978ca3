import io
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import jsonschema
import numpy as np
import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.jobs.options import RunOptions
from evalkit.watermark.detection import detect_watermark
from evalkit.watermark.detection.calibration import Calibration, conditions_of
from evalkit.watermark.detection.calibration_file import write_calibration
from evalkit.watermark.methods import mark_for
from evalkit.watermark.service.answers import schema
from evalkit.watermark.service.engine import Engine, Settings, Upload
from evalkit.watermark.service.ring import Ring
from evalkit.watermark.service.ring_file import read_ring, write_ring
from evalkit.watermark.spec import MarkSpec


@pytest.fixture
def engine(ring, settings):
    made = Engine(ring, settings)
    yield made
    made.close()


def uploads(*files):
    return [Upload(data, f"{number}.png") for number, data in enumerate(files)]


def test_the_mark_of_one_key_is_found_and_no_other(engine, made):
    answers = engine.look(uploads(*made.marked, *made.plain, b"no image"))
    assert [each.verdict for each in answers] == ["marked"] * 4 + ["not found"] * 4 + ["could not be read"]
    assert {tuple(each.found) for each in answers[:4]} == {(made.keys["one"].id,)}
    for each in answers:
        for details in (False, True):
            jsonschema.validate(each.as_dict(details=details), schema())


def test_an_answer_holds_no_number_of_the_image_without_details(engine, made):
    (answer,) = engine.look(uploads(made.marked[0]))
    plain, detailed = answer.as_dict(), answer.as_dict(details=True)
    assert all(
        set(each) == {"entry", "key_id", "method", "tokenizer", "search", "verdict", "basis"} for each in plain["marks"]
    )
    assert detailed["marks"][0]["details"]["log10_p"] < -10


def test_an_image_is_encoded_once_for_all_marks_and_never_again(engine, made, monkeypatch):
    coder = engine.bench.coders[0]
    encode, seen = coder.tokenizer.encode, []
    monkeypatch.setattr(coder.tokenizer, "encode", lambda x: seen.append(len(x)) or encode(x))
    first = engine.look(uploads(*made.marked, *made.marked))
    assert engine.look(uploads(*made.marked, *made.marked)) == first
    assert seen == [4]


def test_an_answer_does_not_depend_on_the_images_beside_it(engine, made):
    together = engine.look(uploads(*made.marked, *made.plain))
    alone = [engine.look([each])[0] for each in uploads(*made.marked, *made.plain)]
    assert alone == together


def test_the_rate_is_shared_by_the_keys_of_the_ring(engine, made):
    (answer,) = engine.look(uploads(made.marked[1]))
    p = 10 ** answer.marks[0].details["log10_p"]
    for factor, found in ((1.9, False), (2.1, True)):  # of two keys
        engine.settings = replace(engine.settings, alpha=factor * p)
        assert (engine.look(uploads(made.marked[1]))[0].verdict == "marked") is found


def test_what_no_key_could_be_found_in_is_undecided(ring, made, settings):
    engine = Engine(ring, replace(settings, alpha=1e-30))
    assert {each.verdict for each in engine.look(uploads(*made.marked))} == {"undecided"}
    engine.close()


def test_bombs_and_large_images_are_not_decoded(ring, made, settings):
    engine = Engine(ring, replace(settings, most_pixels=63 * 64, cache=":memory:"))
    (answer,) = engine.look(uploads(made.marked[0]))
    assert answer.verdict == "could not be read"
    assert "pixels" in answer.reason
    engine.close()


def test_a_revoked_key_is_looked_for_no_more_and_what_is_loaded_stays(engine, ring, made):
    before = engine.bench
    assert engine.changed() is None
    write_ring(ring, Ring((made.entry("one", state="revoked"), made.entry("two"), made.entry("three"))))
    bench = engine.changed()
    assert bench.coders == before.coders
    assert bench.held[0].mark is before.held[1].mark
    engine.bench = bench
    (answer,) = engine.look(uploads(made.marked[0]))
    assert [each.entry for each in answer.marks] == ["two", "three"]
    assert answer.verdict == "not found"


def test_a_ring_that_is_not_right_leaves_the_old_one_at_work(engine, ring, made):
    digest = engine.bench.ring.digest
    ring.write_text("{}")
    with pytest.raises(EvalkitError, match="no key ring"):
        engine.changed()
    assert engine.changed() is None
    assert engine.look(uploads(made.marked[0]))[0].ring == digest


def test_a_key_that_ends_between_two_batches_is_named_by_the_answers_of_the_first(ring, settings, made):
    end = datetime(2026, 12, 1, tzinfo=UTC)
    write_ring(ring, Ring((made.entry("one", until="2026-12-01"), made.entry("two", since="2026-12-01"))))
    engine = Engine(ring, settings)
    for moment, entries, verdict in ((end - timedelta(seconds=1), ["one"], "marked"), (end, ["two"], "not found")):
        (answer,) = engine.look(uploads(made.marked[0]), moment)
        assert [each.entry for each in answer.marks] == entries
        assert answer.rate.keys == 1
        assert answer.verdict == verdict
    pooled = engine.pool(end - timedelta(seconds=1))  # a batch keeps the keys of its begin
    seen = [engine.see(uploads(data), pooled) for data in made.marked[:2]]
    assert [each.verdict for each in engine.answers(seen)] == ["marked"] * 2
    engine.close()


def test_weights_of_another_tokenizer_are_refused(ring, made, settings):
    write_ring(ring, Ring((made.entry("one", tokenizer="world-vq@" + "0" * 64),)))
    with pytest.raises(EvalkitError, match="not those of the entry one"):
        Engine(ring, settings)


def test_a_calibration_decides_with_the_larger_p(ring, made, settings, tmp_path):
    engine = Engine(ring, settings)
    tokenizer = engine.bench.coders[0].tokenizer
    engine.close()
    conditions = conditions_of(mark_for(made.mark.spec, made.keys["one"], tokenizer).as_dict(), tokenizer, ())
    n = 2000
    null = Calibration(np.linspace(-1, 2, n), np.ones(n), (), np.zeros(1024, np.int64), conditions)
    write_calibration(tmp_path / "one.npz", null)
    write_ring(ring, Ring((made.entry("one", calibration=str(tmp_path / "one.npz")),)))
    for alpha, verdict in ((1e-2, "marked"), (1e-6, "undecided")):
        engine = Engine(ring, replace(settings, alpha=alpha))
        (answer,) = engine.look(uploads(made.marked[0]))
        assert answer.verdict == verdict
        assert answer.as_dict()["false_positives"]["basis"] == "larger"
        engine.close()


def test_a_search_of_an_entry_finds_what_detect_finds_at_the_same_price(made, settings, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, data in enumerate((*made.marked[:2], *made.plain[:2])):
        mirrored = Image.open(io.BytesIO(data)).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        mirrored.save(folder / f"{number}.png")
    (folder / "4.png").write_bytes(made.marked[2])
    search, files = "flip,offsets:4/rolls:1", [path.read_bytes() for path in sorted(folder.iterdir())]
    key, tried = made.keys["one"], {}
    for number, how in enumerate(("none", search)):
        write_ring(tmp_path / "ring", Ring((made.entry("one", search=how),)))
        engine = Engine(tmp_path / "ring", settings)
        for again in range(2):  # the second time all codes are known
            tried[how] = [each.as_dict(details=True) for each in engine.look(uploads(*files))]
            options = RunOptions(out=tmp_path / f"run-{number}-{again}", device="cpu")
            run = detect_watermark(
                folder, key, mark=made.run.path, search=how, decide="exact", alpha=1e-6, cache=False, options=options
            )
            details = [each["marks"][0]["details"] for each in tried[how]]
            assert [each["log10_p"] for each in details] == pytest.approx(run.samples["log10_p"].to_pylist(), abs=1e-5)
            assert [each["view"] for each in details] == run.samples["transform"].to_pylist()
        engine.close()
    assert [each["verdict"] for each in tried["none"]] == ["not found"] * 4 + ["marked"]
    assert [each["verdict"] for each in tried[search]] == ["marked"] * 2 + ["not found"] * 2 + ["marked"]
    assert {each["marks"][0]["search"] for each in tried[search]} == {search}
    for answer in tried[search]:
        jsonschema.validate(answer, schema())


def test_a_search_that_there_is_not_and_a_calibration_of_another_one_are_refused(made, settings, tmp_path):
    write_ring(tmp_path / "ring", Ring((made.entry("one", search="somewhere"),)))
    with pytest.raises(EvalkitError, match="no search called 'somewhere'"):
        Engine(tmp_path / "ring", settings)


def test_decoys_decide_over_images_that_come_together_and_never_over_one(made, ring, settings):
    engine = Engine(ring, replace(settings, decoys=True))
    files = uploads(*made.plain, *made.marked, b"no image")
    together = engine.look(files, together=True)
    assert {mark.basis for each in together for mark in each.marks} == {"decoys"}
    assert [each.verdict for each in together] == ["not found"] * 4 + ["marked"] * 4 + ["could not be read"]
    assert [engine.look([each])[0].marks[0].basis for each in files[:2]] == ["exact"] * 2
    assert engine.look([], together=True) == []
    engine.close()


def test_an_answer_names_no_message_that_a_mark_carries(ring, settings, made):
    spec = MarkSpec("payload", layout="user:8", carrier="places", message="user=77")
    write_ring(ring, Ring((made.entry("one", mark=spec), made.entry("two"))))
    engine = Engine(ring, settings)
    for answer in engine.look(uploads(*made.plain, made.marked[0])):
        said = answer.as_dict(details=True)
        jsonschema.validate(said, schema())
        assert [each["method"] for each in said["marks"]] == ["payload", "places"]
        assert not {"message", "layout", "user"} & set(str(said).replace("'", " ").split())
        assert answer.verdict != "marked"
    engine.close()


def test_alpha_is_a_rate():
    with pytest.raises(EvalkitError, match="between 0 and 1"):
        Settings(alpha=1.0)


def test_an_empty_ring_finds_nothing(ring, settings, made):
    write_ring(ring, Ring())
    engine = Engine(ring, settings)
    assert [each.verdict for each in engine.look(uploads(made.marked[0], b"x"))] == ["not found", "could not be read"]
    assert read_ring(ring).entries == ()
    engine.close()
