"""What every worker does: a JSON line in, a JSON line out. It goes beside the worker; it needs Python alone."""

import base64
import io
import json
import sys


def serve(load, draw, sampler=None):
    """Answer requests on standard input until it ends.

    `load(*arguments)` gets the command line's and gives the model; `draw(model, prompt, seed)` gives a PIL image.
    `sampler`: the settings that `draw` uses, which the run's record then holds.
    """
    model = load(*sys.argv[1:])
    for line in sys.stdin:
        request, buffer = json.loads(line), io.BytesIO()
        try:
            draw(model, request["prompt"], request["seed"]).save(buffer, format="PNG")
            reply = {"image_base64": base64.b64encode(buffer.getvalue()).decode(), "sampler": sampler}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps({"id": request["id"], **reply}), flush=True)
