"""What every worker does: a JSON line in, a JSON line out. It goes beside the worker; it needs Python and Pillow alone."""

import base64
import inspect
import io
import json
import sys

from PIL import Image

SETTINGS = ("guidance", "steps", "temperature", "top_k", "top_p")


def serve(load, draw, fixed=None):
    """Answer requests on standard input until it ends.

    `load(*arguments)` gets the command line's and gives the model; `draw(model, ...)` gives a PIL image. It is handed what
    it names of prompt, class_id, seed, image, mask, negative and SETTINGS; its defaults are the authors' settings. What a
    request gives and `draw` does not name is refused. `fixed`: settings that nobody can change; the run's record holds all.
    """
    names = inspect.signature(draw).parameters
    model = load(*sys.argv[1:])
    for line in sys.stdin:
        request, buffer = json.loads(line), io.BytesIO()
        try:
            given = told(request, names)
            draw(model, **given).save(buffer, format="PNG")
            used = {
                **(fixed or {}),
                **{name: given[name] for name in given if name in SETTINGS and given[name] is not None},
            }
            reply = {"image_base64": base64.b64encode(buffer.getvalue()).decode(), "sampler": used}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"id": request["id"], **reply}), flush=True)


def told(request, names):
    """The arguments of `draw`, whose parameters are `names`."""
    said = {name: request.get(name) for name in ("prompt", "class_id", "seed")}
    asked = {name: opened(request.get(f"{key}_base64")) for name, key in (("image", "source_image"), ("mask", "mask"))}
    asked["negative"] = request.get("negative_prompt")
    asked |= {name: value for name, value in (request.get("sampler") or {}).items() if name in SETTINGS}
    if isinstance(asked.get("guidance"), dict):
        asked["guidance"] = asked["guidance"]["scale"]
    if ignored := [name for name, value in asked.items() if value is not None and name not in names]:
        raise ValueError(f"this model takes no {', '.join(ignored)}")
    defaults = {name: each.default for name, each in names.items() if each.default is not each.empty}
    given = {**defaults, **{n: v for n, v in {**said, **asked}.items() if v is not None and n in names}}
    if missing := [name for name in list(names)[1:] if name not in given]:
        raise ValueError(f"this model needs {', '.join(missing)}")
    return given


def opened(text):
    """The PIL image of a PNG file in base64, None of None."""
    return None if text is None else Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")


def as_image(pixels, add=0.0):
    """A PIL image of a tensor [3, H, W] in [-1, 1]; `add` (0.5: rounding) as the official script does before it cuts off."""
    levels = (pixels.float() + 1) * 127.5 + add
    return Image.fromarray(levels.clamp(0, 255).byte().permute(1, 2, 0).contiguous().cpu().numpy())
