"""A bounded fuzz over every reader of images, texts and prompts: a value, or one sentence; no traceback, no hang."""

import io
import json
import random
import struct
import time
import zipfile
import zlib

import datasets
import numpy as np
import pytest
from helpers.mutated import mutated
from PIL import Image

from evalkit.errors import EvalkitError
from evalkit.images import Sample, Unreadable, open_images
from evalkit.images.decode import decode_image
from evalkit.images.hub import HubSet
from evalkit.images.kinds import kind_of_bytes
from evalkit.prompts.load import load_prompts

FEW, MANY = 200, 2000  # mutations of a reader in the fast and in the slow suite
PIXELS = 2**20  # more are refused, so that a header costs no time
SECONDS = 5  # that one file may take
COUNTS = [pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.slow)]
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "PNG16", "TIFF16", "TIFFfloat", "PNGicc")


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EVALKIT_CACHE", str(tmp_path / "cache"))


def with_true_checksums(png):
    """A PNG whose chunks are what they are now, so that changes get past the checksum."""
    found, at = bytearray(png[:8]), 8
    while at + 12 <= len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        body = png[at + 4 : at + 8 + length]
        found += png[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return bytes(found) + png[at:]


def saved(name):
    ramp = np.tile(np.arange(24, dtype=np.uint8) * 10, (24, 1))
    buffer = io.BytesIO()
    if name in ("PNG16", "TIFF16"):
        Image.fromarray(ramp.astype(np.uint16) * 257).save(buffer, name[:-2])
    elif name == "TIFFfloat":
        Image.fromarray(ramp.astype(np.float32) / 255).save(buffer, "TIFF")
    elif name == "PNGicc":
        from PIL import ImageCms, PngImagePlugin

        texts = PngImagePlugin.PngInfo()
        texts.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta tiff:Orientation='6'/>" * 10, zip=True)
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        Image.fromarray(ramp).convert("P").save(buffer, "PNG", icc_profile=profile, pnginfo=texts, transparency=0)
    else:
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {"exif": exif} if name in ("PNG", "JPEG", "WEBP", "TIFF", "AVIF") else {}
        Image.fromarray(np.stack([ramp, ramp.T, ramp], -1)).save(buffer, name, **options)
    return buffer.getvalue()


def expect_value_or_sentence(read, check):
    """`check` holds for what `read` gives, or it says why in one line; either within some seconds."""
    begin = time.monotonic()
    try:
        check(read())
    except EvalkitError as error:
        said = str(error)
    else:
        said = "a value"
    assert said
    assert "\n" not in said
    assert time.monotonic() - begin < SECONDS


def is_image(pixels):
    assert pixels.dtype == np.uint8
    assert pixels.ndim == 3
    assert pixels.shape[2] == 3


def are_samples(images):
    found = list(images.read(0, len(images)))
    assert len(found) == len(images)
    assert [each.id for each in found] == list(images.ids())
    for each in found:
        assert isinstance(each, Sample | Unreadable)
        assert isinstance(each, Sample) or (each.reason and "\n" not in each.reason)
    images.digest()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", FORMATS)
def test_damaged_images_are_pixels_or_a_reason(name, count):
    data = saved(name)
    assert kind_of_bytes(data[:64]) is not None
    for seed in range(count):
        changed = mutated(data, seed)
        if name.startswith("PNG") and seed % 2:
            changed = with_true_checksums(changed)
        expect_value_or_sentence(lambda data=changed: decode_image(data, max_pixels=PIXELS), is_image)


def archive(compressed=True):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as target:
        target.writestr("a.png", saved("PNG"))
        target.writestr("a.txt", "OPEN")
        target.writestr("sub/metadata.jsonl", '{"file_name": "b.bmp", "text": "SHUT"}\n')
        target.writestr("sub/b.bmp", saved("BMP"))
    return buffer.getvalue()


def arrays(save):
    buffer = io.BytesIO()
    save(buffer, np.arange(3 * 4 * 5 * 3, dtype=np.uint8).reshape(3, 4, 5, 3), labels=np.arange(3))
    return buffer.getvalue()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("set.zip", archive()),
        ("set.zip", archive(compressed=False)),
        ("set.npz", arrays(np.savez)),
        ("set.npz", arrays(np.savez_compressed)),
    ],
    ids=["zip", "zip stored", "npz", "npz compressed"],
)
def test_damaged_archives_are_samples_or_a_reason(name, data, count, tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.images.loader.decode_with_source", small)
    for seed in range(count):
        (tmp_path / name).write_bytes(mutated(data, seed))
        expect_value_or_sentence(lambda: open_images(tmp_path / name), are_samples)


def small(data, **options):
    from evalkit.images.decode import decode_with_source

    return decode_with_source(data, max_pixels=PIXELS, **options)


METADATA = {
    "metadata.jsonl": '{"file_name": "a.bmp", "text": "OPEN é", "subset": "signs", "n": [1, {}]}\n\n{"file_name": "gone.bmp"}\n',
    "metadata.csv": 'file_name,text,subset\r\na.bmp,"OPEN, ""now""",signs\r\ngone.bmp,,\r\n',
    "metadata.tsv": "file_name\ttext\na.bmp\tOPEN\n",
    "a.txt": "OPEN é\nDAILY",
}


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", METADATA)
def test_damaged_metadata_is_known_or_a_reason(name, count, tmp_path):
    (tmp_path / "a.bmp").write_bytes(saved("BMP"))
    for seed in range(count):
        (tmp_path / name).write_bytes(mutated(METADATA[name].encode(), seed))
        expect_value_or_sentence(lambda: open_images(tmp_path), are_samples)


PROMPTS = {
    "p.jsonl": "\n".join(
        json.dumps(row) for row in ({"id": "a", "prompt": "é\u2028", "seed": 5, "x": [1.5]}, {"class_id": 7})
    ),
    "p.json": json.dumps({"prompts": ["one", {"prompt": "two", "seed": 3}]}),
    "p.csv": 'id,prompt,class_id,seed\na,"one, ""two""",3,4\nb,three,,\n',
    "p.tsv": "prompt\tclass_id\none\t3\n",
    "p.txt": "one\ntwo é\n",
}


def are_prompts(found):
    assert found.prompts
    assert len({each.id for each in found.prompts}) == len(found.prompts)
    assert found.digest


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", PROMPTS)
def test_damaged_prompt_files_are_prompts_or_a_reason(name, count, tmp_path):
    for seed in range(count):
        (tmp_path / name).write_bytes(mutated(PROMPTS[name].encode(), seed))
        expect_value_or_sentence(lambda: load_prompts(tmp_path / name), are_prompts)


@pytest.mark.parametrize("count", COUNTS)
def test_damaged_rows_of_a_stream_are_samples_or_a_reason(count, monkeypatch):
    monkeypatch.setattr("evalkit.images.loader.decode_with_source", small)
    sources = [saved(name) for name in FORMATS]

    def make():
        for seed in range(count):
            yield {"image": {"bytes": mutated(sources[seed % len(sources)], seed), "path": None}}

    def opened(*_):
        return datasets.IterableDataset.from_generator(make, features=datasets.Features({"image": datasets.Image()}))

    are_samples(HubSet("hf:a/b/test", opened))


@pytest.mark.parametrize("count", COUNTS)
def test_a_folder_of_files_with_any_bytes_and_any_suffix_is_listed_whole(count, tmp_path, monkeypatch):
    monkeypatch.setattr("evalkit.images.loader.decode_with_source", small)
    rng = random.Random(0)
    names = ("", ".png", ".JPG", ".txt", ".heic", ".jxl", ".md", ".tga", ".dat")
    for seed in range(count):
        data = mutated(saved(FORMATS[seed % 5]), seed) if seed % 3 else rng.randbytes(rng.randrange(200))
        (tmp_path / f"{seed}{rng.choice(names)}").write_bytes(data)
    images = open_images(tmp_path)
    are_samples(images)
    assert len(images) + sum(images.skipped.values()) + used_texts(tmp_path, images) == count


def used_texts(folder, images):
    stems = {id.rpartition(".")[0] or id for id in images.ids()}
    return sum(each.stem in stems for each in folder.glob("*.txt"))
