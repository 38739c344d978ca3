"""Prompt files: every kind that is read, and one sentence with the line for what cannot be used."""

import json

import pytest

from evalkit.errors import EvalkitError
from evalkit.prompts.load import Prompt, PromptSet, load_prompts
from evalkit.tasks.generate.rows import seed_of

ROWS = [
    {"id": "a", "prompt": "a red, red car", "seed": 7, "tag": "cars"},
    {"id": "b", "prompt": 'a "blue" boat'},
    {"id": "c", "class_id": 207},
]


def write(path, body):
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return path


def files(folder):
    """The rows in every kind of file that can hold them."""
    cells = [[row.get(name, "") for name in ("id", "prompt", "class_id", "seed", "tag")] for row in ROWS]
    quoted = [[f'"{str(cell).replace(chr(34), chr(34) * 2)}"' for cell in row] for row in cells]
    header = ["id", "Prompt", "class_id", "seed", "tag"]
    return [
        write(folder / "p.jsonl", "\n".join(map(json.dumps, ROWS))),
        write(folder / "p.json", json.dumps(ROWS)),
        write(folder / "q.json", json.dumps({"prompts": ROWS})),
        write(folder / "p.csv", "\r\n".join(",".join(row) for row in [header, *quoted])),
        write(folder / "p.TSV", b"\xef\xbb\xbf" + "\n".join("\t".join(row) for row in [header, *quoted]).encode()),
    ]


def test_all_kinds_of_files_give_the_same_prompts(tmp_path):
    sets = [load_prompts(each) for each in files(tmp_path)]
    assert len({each.digest for each in sets}) == 1
    assert sets[0].prompts[0] == Prompt("a", "a red, red car", None, 7, {"tag": "cars"})
    assert sets[3].prompts[2].class_id == 207


def test_a_list_of_texts_and_a_text_file_are_numbered(tmp_path):
    listed = load_prompts(write(tmp_path / "p.json", '["one", "two"]'))
    lines = load_prompts(write(tmp_path / "p.txt", b"\xef\xbb\xbfone\r\n\r\n two\t\n"))
    assert [(p.id, p.prompt) for p in listed.prompts] == [(p.id, p.prompt) for p in lines.prompts]


def test_lines_end_at_newlines_only(tmp_path):
    odd = "one\u2028two\x0bthree\u0085four\x1c"
    (prompt,) = load_prompts(write(tmp_path / "p.txt", odd)).prompts
    assert prompt.prompt == odd
    (prompt,) = load_prompts(write(tmp_path / "p.jsonl", json.dumps({"prompt": odd}, ensure_ascii=False))).prompts
    assert prompt.prompt == odd


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("p.jsonl", '{"prompt": "a"}\n{"prompt": "b", "weight": NaN}', "line 2 is not JSON: NaN"),
        ("p.jsonl", '{"prompt": "a", "w": 1e999}', "line 1 is not JSON"),
        ("p.jsonl", '{"prompt": "\\ud83d"}', "line 1 holds half of a surrogate pair"),
        ("p.jsonl", '\n{"class_id": true}', "line 2: class_id is a whole number; True given"),
        ("p.jsonl", '{"class_id": 3.0}', "line 1: class_id is a whole number; 3.0 given"),
        ("p.jsonl", '{"class_id": -1}', "line 1: class_id goes from 0"),
        ("p.jsonl", '{"prompt": "a", "seed": "5"}', "line 1: seed is a whole number"),
        ("p.jsonl", '{"prompt": "a", "id": null}', "line 1: id is text or a whole number; None given"),
        ("p.jsonl", '{"prompt": "a", "id": true}', "line 1: id is text"),
        ("p.jsonl", '{"prompt": null}', "line 1 gives neither"),
        ("p.jsonl", "[" * 100_000, "line 1 is nested too deeply"),
        ("p.jsonl", "9" * 5000, "line 1 is not JSON"),
        ("p.json", '{"a": 1}', "holds no list of prompts"),
        ("p.json", '[{"prompt": "a"}, 3]', "entry 2: expected an object"),
        ("p.csv", "prompt,seed\na,true", "line 2: seed is a whole number; 'true' given"),
        ("p.csv", "prompt\na,b", "line 2 has 2 cells, the header 1"),
        ("p.csv", "prompt,prompt\na,b", "names a column twice"),
        ("p.csv", 'prompt\n"a', "line 2 is no row of a table"),
        ("p.csv", "text\na", "line 2: expected an object with prompt"),
        ("p.txt", "a".encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        ("p.csv", "prompt\na".encode("utf-16-le"), "holds zero bytes, as UTF-16"),
        ("p.jsonl", "{}".encode("utf-32"), "is UTF-32 text"),
        ("p.txt", b"caf\xe9", "is not UTF-8 text"),
        ("p.txt", b"", "holds no prompt"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_with_its_line(tmp_path, name, body, said):
    with pytest.raises(EvalkitError, match=said) as error:
        load_prompts(write(tmp_path / name, body))
    assert "\n" not in str(error.value)
    assert str(error.value).count(name) == 1


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    (tmp_path / "p.jsonl").mkdir()
    with pytest.raises(EvalkitError, match="is no file"):
        load_prompts(tmp_path / "p.jsonl")


def test_bytes_of_another_encoding_on_the_command_line_are_refused():
    with pytest.raises(EvalkitError, match="not UTF-8"):
        load_prompts("text:caf\udce9")


def test_seeds_that_differ_stay_different_and_in_range():
    seeds = [5, 2**31 + 5, 2**32 + 5, -5, 2**63, 10**30, 2**31 - 1]
    made = [seed_of(0, Prompt("x", "a", seed=seed), sample) for seed in seeds for sample in range(3)]
    assert len(set(made)) == len(made)
    assert all(0 <= seed < 2**31 for seed in made)
    assert made[:3] == [5, 6, 7]


def test_the_digest_counts_everything_that_decides_an_image():
    base = PromptSet("p", (Prompt("a", "x", None, 1),))
    others = [Prompt("b", "x", None, 1), Prompt("a", "y", None, 1), Prompt("a", "x", 3, 1), Prompt("a", "x", None, 2)]
    assert len({base.digest, *(PromptSet("q", (each,)).digest for each in others)}) == 5
    assert PromptSet("renamed", base.prompts).digest == base.digest
