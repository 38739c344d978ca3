# %% [markdown]
# # Mark images, and ask who made them
#
# A small generator that ships with evalkit draws twelve images twice: plain, and with a watermark. Then both folders are
# searched for the mark. Nothing is downloaded.

# %%
import math
from pathlib import Path

import evalkit
from evalkit.jobs.options import RunOptions
from evalkit.watermark.embed import generate_marked
from evalkit.watermark.keys import read_key
from evalkit.watermark.methods import MarkSpec, mark_for

# %% [markdown]
# A key is 64 hex digits in a file. This one is printed here, so it is no secret: `evalkit watermark keygen` makes yours.

# %%
Path("my.key").write_text(bytes(range(32)).hex())
Path("my.key").chmod(0o600)
key = read_key("my.key")
key.id

# %%
plain = evalkit.generate_images("world-ar", "world", options=RunOptions(out="plain", limit=12, device="cpu"))
marked = generate_marked(
    "world-ar",
    "world",
    lambda tokenizer: mark_for(MarkSpec("places"), key, tokenizer),
    math.inf,  # delta: how much green codes are preferred; here no other code is taken
    options=RunOptions(out="marked", limit=12, device="cpu"),
)
marked.to_pandas("samples")[["id", "prompt", "seed"]].head(4)

# %% [markdown]
# ## Look for the mark
#
# `mark.json` lies beside the marked images and holds all that a detector needs, but the key.


# %%
def found(run):
    options = RunOptions(out=f"found-{run.path.name}", device="cpu", keep="none")
    return evalkit.detect_watermark(
        run.path / "images", "my.key", mark="marked/mark.json", cache=False, options=options
    )


columns = ["verdict", "log10_p", "codes", "distinct", "green"]
in_marked = found(marked).to_pandas("samples")
in_marked[columns].round(2)

# %%
in_plain = found(plain).to_pandas("samples")
in_plain[columns].round(2)

# %% [markdown]
# ## What the numbers say
#
# The p-value is exact: a random key would fit an image's codes as well as this with that chance, for any image.
# It is small where far more codes are green than the half that chance gives.

# %%
import pandas

pandas.DataFrame({"marked": in_marked.verdict.value_counts(), "plain": in_plain.verdict.value_counts()}).fillna(0)

# %% [markdown]
# These images are small and have 64 codes each, most of which their caption decides. That is why the method keys each
# place by itself here, and prefers green codes without a limit. [Watermarks](../watermark.md) says what that costs, and how
# many codes a rate of false positives needs.
