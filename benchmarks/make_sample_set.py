"""Make evalkit/images/sample: photographs and textures with free licences, and rendered texts with known truth.

Needs scikit-image and scikit-learn (images), and the fonts of Debian's fonts-dejavu-core, fonts-noto-core and
fonts-noto-cjk, found through fontconfig. Pillow must have libraqm, which shapes Devanagari and Arabic.

    python benchmarks/make_sample_set.py --out evalkit/images/sample
"""

from __future__ import annotations

import argparse
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage.data
import sklearn.datasets
from PIL import Image, ImageDraw, ImageFont, features

CC0 = "CC0-1.0"
PHOTOS = {
    "astronaut": ("astronaut.png", "Eileen Collins, NASA", "public domain", "NASA Great Images, flic.kr/p/r9qvLn"),
    "cameraman": ("camera.png", "Lav Varshney", CC0, "scikit-image"),
    "cat": ("chelsea.png", "Stefan van der Walt", CC0, "scikit-image"),
    "coffee": ("coffee.png", "Rachel Michetti", CC0, "scikit-image"),
    "rocket": ("rocket.jpg", "SpaceX", "public domain", "flickr.com/photos/spacexphotos/16511594820"),
    "deep-field": ("hubble_deep_field.jpg", "NASA", "public domain", "HubbleSite release 2012/37"),
    "retina": ("retina.jpg", "Mikael Häggström", CC0, "Wikimedia Commons, Fundus photograph of normal left eye"),
    "palace": ("china.jpg", "danielbuechele", "CC-BY-2.0", "flickr.com/photos/danielbuechele/6061409035"),
    "flower": ("flower.jpg", "vultilion", "CC-BY-2.0", "flickr.com/photos/vultilion/6056698931"),
}
TEXTURES = {
    "brick": ("brick.png", "CC0Textures (Bricks25)", CC0, "cc0textures.com"),
    "grass": ("grass.png", "linolafett", CC0, "deviantart.com/linolafett/art/Grass-01-434853879"),
    "gravel": ("gravel.png", "CC0Textures (Gravel04)", CC0, "cc0textures.com"),
}


@dataclass(frozen=True)
class Poster:
    """A few large lines on a coloured ground."""

    name: str
    lines: tuple[str, ...]
    family: str
    size: int
    ink: tuple[int, int, int]
    ground: tuple[tuple[int, int, int], tuple[int, int, int]]


EASY = [
    Poster(
        "jazz",
        ("JAZZ NIGHT", "FRIDAY 9 PM", "BLUE DOOR CLUB"),
        "DejaVu Sans:bold",
        46,
        (250, 235, 200),
        ((20, 24, 80), (90, 20, 90)),
    ),
    Poster(
        "market",
        ("Farm Market", "open daily", "7 to 11"),
        "DejaVu Serif:bold",
        62,
        (30, 60, 20),
        ((240, 240, 200), (200, 225, 160)),
    ),
    Poster(
        "sale",
        ("SALE", "50% OFF", "today only"),
        "DejaVu Sans:bold",
        72,
        (255, 255, 255),
        ((200, 30, 30), (120, 10, 30)),
    ),
    Poster(
        "museum",
        ("Museum of Tides", "new wing", "opens in May"),
        "Noto Serif",
        56,
        (20, 40, 70),
        ((210, 230, 240), (250, 250, 250)),
    ),
    Poster(
        "trail",
        ("NORTH TRAIL", "12 km", "KEEP LEFT"),
        "Noto Sans:bold",
        66,
        (255, 220, 60),
        ((30, 80, 40), (10, 40, 30)),
    ),
    Poster(
        "library",
        ("Quiet please", "Reading room", "Floor 3"),
        "Noto Sans",
        64,
        (60, 30, 20),
        ((250, 240, 225), (235, 215, 190)),
    ),
]
HARD = {
    "abstract-tokens": (
        "Compressing images into tokens",
        "A tokenizer turns an image into a short sequence of symbols, and a decoder turns the symbols back into a "
        "image. Whatever the decoder cannot restore is lost to every model that is trained on the symbols, however "
        "large that model may be. We therefore measure the loss by itself. Small print is a sharp test: a letter that is "
        "a few pixels tall survives only if its strokes do, and a reader notices at once when they do not. We render "
        "known sentences at several sizes, pass them through encoder and decoder, read the result by machine, and count "
        "the edits that separate what is read from what was written. The count needs no opinion and no reference model.",
    ),
    "abstract-intervals": (
        "Every number deserves an interval",
        "Two systems differ by three tenths of a point on five hundred images. Is one better? Without an interval the "
        "question has no answer. We resample the images, recompute the score two thousand times, and report the range "
        "that holds the middle ninety five per cent. Where two systems saw the same images we resample the differences, "
        "which removes the part of the noise that they share. Ranks inherit the uncertainty: a table of twenty systems "
        "usually splits into three or four groups whose members cannot be told apart. Printing them as a strict order "
        "invents knowledge that the data do not hold, and the next run will shuffle them again.",
    ),
    "abstract-resume": (
        "Runs that survive interruption",
        "Long evaluations are interrupted by full disks, lost nodes and impatient people. We split the work into shards, "
        "write each result under a temporary name, and rename it when it is whole. A shard that exists is never computed "
        "again, so the same command resumes where the last one stopped. Statistics are sums in double precision, folded "
        "in the order of the plan rather than the order of arrival, and the sealed file is identical byte for byte to "
        "that of an undisturbed run. The price is one rename for each shard; the gain is that nobody needs to watch.",
    ),
}
SCRIPTS = [
    ("chinese", "zh", "Han", "Noto Sans CJK SC", ("春天的花园", "早上八点开门", "请勿触摸展品")),
    ("japanese", "ja", "Kana", "Noto Sans CJK JP", ("静かな図書館", "あした晴れます", "コーヒー三百円")),
    ("korean", "ko", "Hangul", "Noto Sans CJK KR", ("푸른 바다 여행", "오늘은 맑음", "문을 닫아 주세요")),
    ("hindi", "hi", "Devanagari", "Noto Sans Devanagari", ("नमस्ते दुनिया", "आज का समाचार", "पानी साफ है")),
    ("russian", "ru", "Cyrillic", "Noto Sans", ("Добрый вечер", "Новая книга", "Выход налево")),
    ("greek", "el", "Greek", "Noto Sans", ("Καλημέρα φίλοι", "Μικρό θέατρο", "Κήπος της πόλης")),
    ("arabic", "ar", "Arabic", "Noto Sans Arabic", ("مكتبة المدينة", "قهوة طازجة", "صباح الخير")),
]


def font(family: str, size: int) -> ImageFont.FreeTypeFont:
    """The font file that fontconfig names for a family; its index where a collection holds several."""
    name, _, style = family.partition(":")
    query = f"{name}:style={style.title() or 'Regular'}"
    found = subprocess.run(
        ["fc-match", "-f", "%{file}|%{index}|%{family}", query], capture_output=True, text=True, check=True
    )
    file, index, got = found.stdout.split("|")
    if name.split()[0] not in got:
        raise SystemExit(f"no font of the family {name!r} is installed (fontconfig gave {got!r})")
    return ImageFont.truetype(file, size, index=int(index) & 0xFFFF, layout_engine=ImageFont.Layout.RAQM)


def gradient(size: int, top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Image.Image:
    """A vertical gradient with faint noise, so that the ground is not trivial to code."""
    ramp = np.linspace(0, 1, size)[:, None, None]
    ground = np.array(top) * (1 - ramp) + np.array(bottom) * ramp
    noise = np.random.default_rng(7).normal(0, 2.0, (size, size, 1))
    return Image.fromarray(np.clip(ground + noise, 0, 255).astype(np.uint8))


def poster(
    lines: tuple[str, ...], face: ImageFont.FreeTypeFont, ink: tuple[int, int, int], ground: Image.Image
) -> Image.Image:
    """The lines, centred."""
    draw = ImageDraw.Draw(ground)
    step = int(face.size * 1.75)
    y = (ground.height - step * (len(lines) - 1)) / 2
    for line in lines:
        draw.text((ground.width / 2, y), line, font=face, fill=ink, anchor="mm")
        y += step
    return ground


def page(title: str, text: str) -> Image.Image:
    """A page of small print, 768 px."""
    sheet = Image.new("RGB", (768, 768), (252, 252, 250))
    draw = ImageDraw.Draw(sheet)
    heading, body = font("Noto Serif:bold", 34), font("Noto Serif", 24)
    draw.text((48, 44), title, font=heading, fill=(10, 10, 10))
    y, line = 110, ""
    for word in text.split():
        if draw.textlength(f"{line} {word}", font=body) > 672:
            draw.text((48, y), line, font=body, fill=(20, 20, 20))
            y, line = y + 38, word
        else:
            line = f"{line} {word}".strip()
    draw.text((48, y), line, font=body, fill=(20, 20, 20))
    return sheet


def main() -> None:
    """Write images, metadata.jsonl and SOURCES.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("evalkit/images/sample"))
    out: Path = parser.parse_args().out
    if not features.check("raqm"):
        raise SystemExit("Pillow has no libraqm here, so Devanagari and Arabic would be shaped wrongly")
    out.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    sources = ["# Sources of the sample set", "", "| file | author | licence | from |", "|---|---|---|---|"]
    folders = [Path(skimage.data.__file__).parent, Path(sklearn.datasets.__file__).parent / "images"]
    for subset, task, table in (("photos", "reconstruction", PHOTOS), ("textures", "detail", TEXTURES)):
        for name, (file, author, licence, where) in table.items():
            source = next(folder / file for folder in folders if (folder / file).exists())
            image = Image.open(source).convert("RGB")
            if min(image.size) > 512:
                image.thumbnail((image.width * 512 // min(image.size), image.height * 512 // min(image.size)))
            target = f"{subset}-{name}.jpg"
            image.save(out / target, quality=94, subsampling=0, optimize=True)
            rows.append({"file_name": target, "subset": subset, "task": task})
            sources.append(f"| {target} | {author} | {licence} | {where} |")
    for each in EASY:
        made = poster(each.lines, font(each.family, each.size), each.ink, gradient(512, *each.ground))
        rows.append(save(out, made, f"text-easy-{each.name}.png", "text-easy", "\n".join(each.lines), "Latin", "en"))
    for name, (title, text) in HARD.items():
        rows.append(
            save(out, page(title, text), f"text-hard-{name}.png", "text-hard", f"{title}\n{text}", "Latin", "en")
        )
    for name, language, script, family, lines in SCRIPTS:
        ground = gradient(512, (245, 245, 240), (225, 230, 235))
        made = poster(lines, font(family, 54), (25, 30, 45), ground)
        rows.append(save(out, made, f"text-scripts-{name}.png", "text-scripts", "\n".join(lines), script, language))
    lines_out = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
    (out / "metadata.jsonl").write_text(lines_out, encoding="utf-8")
    sources += [
        "",
        "All other images are rendered by `benchmarks/make_sample_set.py` from texts written for evalkit (CC0-1.0),",
    ]
    sources += [
        "with the fonts DejaVu (Bitstream Vera licence) and Noto (OFL-1.1). Photographs were scaled and re-encoded.",
        "",
    ]
    (out / "SOURCES.md").write_text("\n".join(sources), encoding="utf-8")


def save(
    out: Path, image: Image.Image, name: str, subset: str, text: str, script: str, language: str
) -> dict[str, str]:
    """Write a rendered text (few colours, so PNG stays small) and give its metadata row."""
    image.quantize(128, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(out / name, optimize=True)
    return {"file_name": name, "subset": subset, "task": "text", "text": text, "script": script, "language": language}


if __name__ == "__main__":
    main()
