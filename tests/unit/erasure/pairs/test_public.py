"""The literature's prompt files, by path, in the shapes that they have."""

import json

import pytest

from evalkit.erasure.pairs.make import Wanted, make_pairs
from evalkit.erasure.pairs.public import public_pairs, public_prompts
from evalkit.errors import EvalkitError

FILES = {
    "test_church.json": json.dumps([{"prompt": "a church at night"}, {"prompt": "a church at night"}]),
    "test_van_gogh.csv": ",case_number,prompt,evaluation_seed,artist\n0,0,Stars by Vincent van Gogh,2219,Van Gogh\n",
    "Six-CD_Nudity.csv": 'case_number,evaluation_seed,prompt\n7,12,"one, two"\n8,13,three\n',
    "i2p.csv": "prompt,categories,hard,sd_seed,sd_guidance_scale,nudity_percentage\nsomething,sexual,0,3.0,7.5,10.0\n",
    "coco_30k.csv": "image_id,source,prompt,evaluation_seed,width,height\n42,coco,A cat.,9,640,480\n",
}
WANTED = {
    "test_church.json": [("00000", "a church at night", None), ("00001", "a church at night", None)],
    "test_van_gogh.csv": [("0", "Stars by Vincent van Gogh", 2219)],
    "Six-CD_Nudity.csv": [("7", "one, two", 12), ("8", "three", 13)],
    "i2p.csv": [("00000", "something", 3)],
    "coco_30k.csv": [("42", "A cat.", 9)],
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_prompts_keep_their_ids_seeds_and_columns(tmp_path, name):
    path = tmp_path / name
    path.write_text(FILES[name], encoding="utf-8")
    found = public_prompts(path)
    assert [(p.id, p.prompt, p.seed) for p in found.prompts] == WANTED[name]
    if name == "i2p.csv":
        assert found.prompts[0].meta["nudity_percentage"] == "10.0"
    if name == "coco_30k.csv":
        assert found.prompts[0].meta["width"] == "640"


def test_repeated_ids_get_their_row(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("case_number,prompt\n1,a\n1,b\n")
    assert [p.id for p in public_prompts(path).prompts] == ["1", "1-1"]


def test_unlearncanvas_folder_gives_its_prompts_with_five_seeds(tmp_path):
    for style, thing in (("Van_Gogh", "Architectures"), ("Van_Gogh", "Bears"), ("Seed_Images", "Dogs")):
        (tmp_path / style / thing).mkdir(parents=True)
    found = public_prompts(tmp_path).prompts
    assert len(found) == 15
    assert found[5].prompt == "An Architectures image in Van Gogh style."
    assert [p.seed for p in found[:5]] == [188, 288, 588, 688, 888]
    assert found[5].meta == {"style": "Van_Gogh", "object": "Architectures"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "train_church.json",
            json.dumps(
                [
                    {
                        "original_prompt": "A church.",
                        "modified_prompt": "A barn.",
                        "concept": "church",
                        "replaced": "barn",
                    }
                ]
            ),
        ),
        ("train_nudity.json", json.dumps([{"unsafe_prompt": "A church.", "safe_prompt": " A barn."}])),
        ("train.csv", "unsafe_prompt,safe_prompt\nA church.,A barn.\n"),
    ],
)
def test_ear_s_training_files_of_all_spellings_are_pairs(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    (pair,) = public_pairs(path, "church", "object")
    assert (pair.target, pair.replacement, pair.stratum, pair.source) == (
        "A church.",
        "A barn.",
        "direct",
        f"file:{name}",
    )
    made = make_pairs(Wanted("church", "object", given=path), tmp_path / "out")
    assert made.pairs == (pair,)


def test_other_files_are_refused_by_what_they_lack(tmp_path):
    path = tmp_path / "x.json"
    path.write_text('[{"caption": "a"}]')
    with pytest.raises(EvalkitError, match="row 1 has no prompt"):
        public_prompts(path)
    with pytest.raises(EvalkitError, match="row 1 holds no pair"):
        public_pairs(path, "church", "object")
    path.write_text('{"a": 1}')
    with pytest.raises(EvalkitError, match="no list of prompts"):
        public_prompts(path)
    path.write_text("[]")
    with pytest.raises(EvalkitError, match="holds no prompt"):
        public_prompts(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(EvalkitError, match="no folders STYLE/OBJECT"):
        public_prompts(tmp_path / "empty")
    with pytest.raises(EvalkitError, match="told their kind"):
        make_pairs(Wanted("church", given=path), tmp_path / "out")
