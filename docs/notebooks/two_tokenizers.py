# %% [markdown]
# # Two tokenizers, sample by sample
#
# Two codecs stand for two tokenizers here: they need no weights. Any name of `evalkit ls tokenizers` works alike.
# The notebook runs in an empty folder, without a download, in less than a minute.

# %%
import evalkit
from evalkit.jobs.options import RunOptions


def evaluated(name):
    options = RunOptions(out=f"runs/{name}", keep="worst", device="cpu")
    return evalkit.evaluate_tokenizer(name, "sample/photos", tasks=["reconstruction"], options=options)[0]


a, b = evaluated("jpeg-q75"), evaluated("webp-q75")
a

# %% [markdown]
# A run shows its results as a table. The same numbers are a pandas frame, and so is every sample.

# %%
samples = a.to_pandas("samples")
samples[["id", "psnr", "ssim", "bpp"]].round(3)

# %% [markdown]
# ## Is the second one better?
#
# The intervals of both means overlap, which decides nothing: both codecs saw the same images. So look at the differences.

# %%
both = samples[["id", "psnr"]].merge(b.to_pandas("samples")[["id", "psnr"]], on="id", suffixes=("_jpeg", "_webp"))
both["gain"] = both.psnr_webp - both.psnr_jpeg
both.round(2).sort_values("gain")

# %% [markdown]
# `compare_runs` takes the difference with a paired interval, in every metric that both have.

# %%
from evalkit.leaderboard.compare import compare_runs

for pair in compare_runs([a.path, b.path], metrics=["psnr", "ssim", "bpp"]).pairs:
    print(f"{pair.board.terms.metric:5} {pair.outcome:13} {pair.gap.low:+.3f} to {pair.gap.high:+.3f}")

# %% [markdown]
# ## Ask both at once
#
# `evalkit.query` is SQL over any number of runs. Name the protocol, because one run may hold several.

# %%
evalkit.query(
    "select model, metric, round(value, 3) as value from results "
    "where protocol = 'evalkit-1' and metric in ('psnr', 'bpp') order by metric, value desc",
    ["runs"],
).to_pandas()
