"""Peak memory of work in a process of its own, and the large images that it is measured with."""

import io
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
from PIL import Image

MEGA = 1e6
TESTS = Path(__file__).parents[1]
MEASURED = """
import sys
import textwrap
from pathlib import Path
import cv2, numpy, PIL.ImageCms
from evalkit.freed import give_back
from evalkit.images.loader import sample_from_bytes
def held(which):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(which))
for path in 2 * list(map(Path, sys.argv[1:])):  # the first time of each loads libraries and starts their threads
    give_back()
    open("/proc/self/clear_refs", "w").write("5")
    before = held("VmRSS")
    sample = sample_from_bytes(path.name, path.read_bytes)
    each = sample.image.size / 3
    print(path.name, (held("VmHWM") - before) / each, (held("VmRSS") - before) / each, flush=True)
    del sample
"""
LAST = """
finally:  # ru_maxrss would count what the parent held when it forked
    found = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print("peak", int(found.split()[1]) * 1024, file=sys.stderr)
"""
COMMAND = "from evalkit.cli import main\nmain()"


def large_images(folder: Path, side: int, names=None) -> Path:
    """One file of `side` x `side` pixels for each kind that is read; `names`: some of them."""
    folder.mkdir(parents=True, exist_ok=True)
    cells = np.random.default_rng(0).integers(0, 256, (64, 64, 4), dtype=np.uint8)
    rgba = Image.fromarray(cells).resize((side, side), Image.Resampling.NEAREST)
    rgb, grey = rgba.convert("RGB"), rgba.getchannel("G")
    deep = np.asarray(grey).astype(np.uint16) * 257
    other = [rgb.transpose(Image.Transpose.ROTATE_90)]
    turned, fast = Image.Exif(), {"quality": 50, "speed": 10}
    turned[0x0112] = 6
    for name, image, how in (
        ("rgb.png", rgb, {"compress_level": 1}),
        ("rgba.png", rgba, {"compress_level": 1}),
        ("grey-alpha.png", Image.merge("LA", (grey, rgba.getchannel("A"))), {"compress_level": 1}),
        ("one-bit.png", grey.convert("1"), {}),
        ("deep.png", Image.fromarray(deep), {"compress_level": 1}),
        ("rgb.jpg", rgb, {"quality": 80}),
        ("turned.jpg", rgb, {"quality": 80, "exif": turned}),
        ("progressive.jpg", rgb, {"quality": 80, "progressive": True, "subsampling": 0}),
        ("subsampled.jpg", rgb, {"quality": 80, "progressive": True}),
        ("cmyk.jpg", rgb.convert("CMYK"), {"quality": 80}),
        ("still.webp", rgb, {"quality": 60, "method": 0}),
        ("alpha.webp", rgba, {"quality": 60, "method": 0}),
        ("lossless.webp", rgba, {"lossless": True, "quality": 0, "method": 0}),
        ("animated.webp", rgb, {"quality": 60, "method": 0, "save_all": True, "append_images": other}),
        ("palette.gif", rgb.quantize(64), {}),
        ("plain.bmp", rgb, {}),
        ("plain.tif", rgb, {}),
        ("alpha.tif", rgba, {}),
        ("packed.tif", rgba, {"compression": "tiff_adobe_deflate", "tiffinfo": {278: side}}),
        ("float.tif", Image.fromarray(np.asarray(grey).astype(np.float32) / 255), {}),
        ("plain.ppm", rgb, {}),
        ("grey.avif", grey, fast),
        ("still.avif", rgb, fast),
        ("whole-chroma.avif", rgb, {**fast, "subsampling": "4:4:4"}),
        ("alpha.avif", rgba, fast),
    ):
        if names is None or name in names:
            image.save(folder / name, **how)
    if names is None or "deep.ppm" in names:
        head = f"P6 {side} {side} 65535\n".encode()
        (folder / "deep.ppm").write_bytes(head + deep.astype(">u2")[..., None].repeat(3, 2).tobytes())
    return folder


def bytes_a_pixel(files) -> dict[str, tuple[float, float]]:
    """What reading each file takes at its peak and afterwards, by name; one process reads all of them, and then again."""
    once = {"MALLOC_MMAP_THRESHOLD_": str(2**20)}  # every array comes from the system and goes back there
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, files)],
        capture_output=True,
        text=True,
        check=True,
        env={**_calm(), **once},
    )
    rows = [line.split() for line in done.stdout.splitlines()][len(files) :]
    return {name: (float(peak), float(kept)) for name, peak, kept in rows}


def peak_of(arguments) -> float:
    """Peak megabytes (10^6 bytes) of `evalkit ARGUMENTS`, which may leave failed samples."""
    return peak_of_script(COMMAND, arguments)


def peak_of_script(script: str, arguments) -> float:
    """The same of a script that knows the tests' helpers."""
    code = f"import sys\ntry:\n{textwrap.indent(script, '    ')}{LAST}"
    places = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    calm = {**_calm(), "PYTHONPATH": os.pathsep.join(each for each in places if each)}
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=calm)
    said = [line for line in done.stderr.splitlines() if line.startswith("peak ")]
    if done.returncode not in (0, 1) or "Traceback" in done.stderr or not said:
        raise RuntimeError(done.stderr)
    return int(said[-1].split()[1]) / MEGA


def png_of(side: int) -> bytes:
    """A small PNG file."""
    buffer = io.BytesIO()
    cells = np.random.default_rng(side).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(cells).resize((side, side), Image.Resampling.NEAREST).save(buffer, "PNG")
    return buffer.getvalue()


def _calm() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}
