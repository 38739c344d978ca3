"""What is known of images: in folders, sub-folders and archives alike, each error with its line."""

import zipfile

import pytest
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images import Unreadable, open_images


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "F"
    (root / "sub").mkdir(parents=True)
    for name in ("a.png", "sub/b.png"):
        Image.new("RGB", (8, 8)).save(root / name)
    return root


def known(images):
    return {each.id: dict(each.meta) for each in images.read(0, len(images))}


def zipped(folder):
    target = folder.parent / "set.zip"
    with zipfile.ZipFile(target, "w") as archive:
        for file in folder.rglob("*"):
            archive.write(file, file.relative_to(folder).as_posix())
    return target


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("metadata.jsonl", '{"file_name": "./b.png", "text": "SHUT"}\n'),
        ("metadata.csv", "file_name,text\r\nb.png,SHUT\r\n"),
        ("metadata.tsv", "file_name\ttext\nb.png\tSHUT\n"),
        ("METADATA.CSV", "file_name,text\nb.png,SHUT\n"),
    ],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_metadata_of_a_sub_folder_is_found_in_folder_and_archive(folder, name, body, mark):
    (folder / "sub" / name).write_bytes(mark + body.encode())
    for images in (open_images(folder), open_images(zipped(folder))):
        assert known(images) == {"a.png": {}, "sub/b.png": {"text": "SHUT"}}
        assert images.remarks() == []


def test_a_deeper_file_goes_before_one_above_and_both_add_up(folder):
    (folder / "metadata.csv").write_text("file_name,text,subset\nsub/b.png,ABOVE,signs\n")
    (folder / "sub" / "metadata.jsonl").write_text('{"file_name": "b.png", "text": "BELOW"}\n')
    assert known(open_images(folder))["sub/b.png"] == {"text": "BELOW", "subset": "signs"}


def test_rows_that_match_nothing_are_named(folder):
    (folder / "metadata.csv").write_text("file_name,text\na.png,A\ngone.png,X\n../a.png,Y\n")
    images = open_images(folder)
    assert images.unmatched == ["../a.png", "gone.png"]
    assert images.remarks() == ["metadata without its image: 2 rows (../a.png, gone.png)"]
    assert images.as_record()["unmatched"] == 2
    assert open_images(zipped(folder)).unmatched == images.unmatched
    assert open_images(folder / "a.png").unmatched == ()


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("metadata.jsonl", b'{"file_name": "a.png"}\n{"file_name": "a.png", "text": NaN}', "line 2 is not JSON: NaN"),
        ("metadata.jsonl", b'{"file_name": "a.png", "text": "\\ud800"}', "line 1 holds half of a surrogate"),
        ("metadata.jsonl", b'{"text": "x"}', "line 1 cannot be used; each row needs file_name"),
        ("metadata.jsonl", b'{"file_name": null}', "line 1 cannot be used"),
        ("metadata.jsonl", b"[1]", "line 1 cannot be read; each row is an object"),
        ("metadata.jsonl", b'{"file_name": "a.png", "text": true}', "line 1: text is text; True given"),
        ("metadata.jsonl", b'{"file_name": "a.png", "text": ["x"]}', "line 1: text is text"),
        ("metadata.jsonl", b'{"file_name": "a.png"}\n\n{"file_name": "./a.png"}', r"twice \(lines 1 and 3\)"),
        ("metadata.jsonl", "{}".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        ("metadata.csv", b"file_name,text\na.png,\xff", "is not UTF-8 text"),
        ("metadata.csv", b"file_name,text\na.png,x,y", "line 2 has 3 cells, the header 2"),
        ("metadata.csv", b"name\na.png", "line 2 cannot be used; each row needs file_name"),
        ("metadata.jsonl", b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_row_is_one_sentence_with_its_line(folder, name, body, said):
    (folder / name).write_bytes(body)
    for path in (folder, zipped(folder)):
        with pytest.raises(EvalkitError, match=said):
            open_images(path)


def test_lines_of_metadata_end_at_newlines_only(folder):
    (folder / "metadata.jsonl").write_text(
        '{"file_name": "a.png", "text": "one\u2028two\u0085three"}\n', encoding="utf-8"
    )
    assert known(open_images(folder))["a.png"]["text"] == "one\u2028two\u0085three"


def test_numbers_are_taken_as_text_and_nulls_as_unknown(folder):
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", "text": 2024, "subset": null, "score": 0.5}')
    assert known(open_images(folder))["a.png"] == {"text": "2024", "score": 0.5}


@pytest.mark.parametrize(
    ("body", "text"),
    [(b"\xef\xbb\xbfOPEN", "OPEN"), ("OPEN".encode("utf-16"), "OPEN"), ("OPEN".encode("utf-32"), "OPEN")],
)
def test_the_text_beside_an_image_has_no_byte_order_mark(folder, body, text):
    (folder / "a.txt").write_bytes(body)
    assert known(open_images(folder / "a.png"))["a.png"] == {"text": text}


@pytest.mark.parametrize("body", [b"caf\xe9", "OPEN".encode("utf-16-le"), b"x" * 2**21])
def test_a_text_that_cannot_be_read_is_a_reason_and_not_a_replacement(folder, body):
    (folder / "a.txt").write_bytes(body)
    (sample,) = open_images(folder / "a.png").read(0, 1)
    assert isinstance(sample, Unreadable)
    assert sample.sha256 is not None


def test_of_two_texts_the_plain_suffix_counts(folder):
    (folder / "a.TXT").write_text("UPPER")
    assert known(open_images(folder))["a.png"]["text"] == "UPPER"
    (folder / "a.txt").write_text("lower")
    assert known(open_images(folder))["a.png"]["text"] == "lower"
