"""Foreign data have one reader of each kind: a call that parses is in the reader's own file, or reads evalkit's own data."""

import ast
from collections import Counter
from pathlib import Path

import evalkit

ROOT = Path(evalkit.__file__).parent
CALLS = {
    *("json.load", "json.loads", "tomllib.load", "tomllib.loads", "yaml.load", "yaml.safe_load", "ast.literal_eval"),
    *(
        "np.load",
        "np.fromfile",
        "np.genfromtxt",
        "np.loadtxt",
        "np.memmap",
        "pickle.load",
        "pickle.loads",
        "pickle.Unpickler",
    ),
    *("torch.load", "torch.jit.load", "safe_open", "load_file", "Image.open", "cv2.imread", "cv2.imdecode"),
    *("pq.read_table", "pq.ParquetFile", "pq.read_schema", "pq.read_metadata", "pa.ipc.open_file", "csv.reader"),
    *("csv.DictReader", "zipfile.ZipFile", "tarfile.open", "gzip.open", "sqlite3.connect", "ElementTree.parse"),
}
READERS = {  # the one boundary of its kind: each error becomes one sentence, or costs one image
    "encoders/classifiers/q16.py": "a pickle of arrays, by an unpickler that knows nothing else",
    "encoders/database.py": "SQLite; a broken cache costs time",
    "erasure/training/checkpoint.py": "checkpoints of training",
    "images/archive.py": "zip archives of images",
    "images/arrays.py": "npz files of images",
    "images/decode.py": "images",
    "images/hashing.py": "SQLite; a broken cache costs time",
    "images/png_clear.py": "images, called by decode.py",
    "images/webp.py": "images, called by decode.py",
    "jsonio.py": "JSON",
    "judges/official.py": "Python literals in replies; `outcome` loses the question alone",
    "judges/official_lists.py": "Python literals in replies; `outcome` loses the question alone",
    "judges/parse.py": "Python literals in replies",
    "metrics/npz.py": "npz and npy files",
    "runs/tables.py": "Parquet of runs",
    "tasks/probe/evidence/read.py": "evidence, line by line, perhaps gzipped",
    "tasks/probe/geneval/annotations.py": "GenEval's annotations, whose cells hold line ends",
    "tasks/probe/judged/items.py": "data files of benchmarks",
    "tasks/probe/judged/loaders/unigenbench.py": "a Python literal in a benchmark's file, within the boundary of items.py",
    "textfiles.py": "TOML and tables",
    "encoders/features/i3d.py": "a program's tensors, after consent",
    "tokenizers/cosmos.py": "TorchScript, which was looked through before",
    "weights/programs.py": "TorchScript archives, looked through",
    "weights/reading.py": "checkpoints",
    "weights/stubs.py": "names in pickles, of which nothing is run",
}
OWN = {  # what this process, its workers or this package wrote
    "cli/campaign.py": "the campaign's data, just written",
    "cli/leaderboard.py": "the page's data, just written",
    "encoders/classifiers/open_nsfw.py": "an image that was just written",
    "encoders/registry.py": "a file of the package",
    "erasure/check/spec.py": "the source of the spec itself",
    "erasure/pairs/concepts.py": "a file of the package",
    "generators/endpoints.py": "a file of the package",
    "generators/workers.py": "a file of the package",
    "jobs/engine_local.py": "what this process sends its workers",
    "jobs/recomputed.py": "results that were just written",
    "jobs/remote_worker.py": "an exception of this process",
    "jobs/spec.py": "a plan that was just written",
    "metrics/niqe.py": "a file of the package",
    "protocols/judged/read.py": "files of the package",
    "protocols/protocol.py": "a file of the package",
    "runs/shards.py": "shards whose digests agree",
    "systems/catalog.py": "files of the package",
    "tasks/generate/layouts.py": "an archive that is written",
    "tasks/probe/decoder/equal.py": "an image that was just written",
    "tasks/score/features.py": "an archive that is written",
    "tasks/tokenizer/survival.py": "an image that was just written",
    "tokenizers/cards.py": "files of the package",
    "tokenizers/codec.py": "a stream that was just encoded",
    "watermark/attacks/checks.py": "a record that was just written",
    "watermark/attacks/codecs.py": "a file that was just written",
    "watermark/detection/calibration.py": "conditions that were just written",
    "watermark/robustness/checks.py": "a record that was just written",
    "weights/find.py": "files of the package",
    "world/render.py": "sprites of the package",
    "world/second/render.py": "sprites of the package",
}


def dotted(node):
    """`a.b.c` of a name."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join(reversed([*parts, node.id])) if isinstance(node, ast.Name) else ".".join(reversed(parts))


def found():
    """How often each file of the package names something that parses, called or passed on."""
    counts = Counter()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute | ast.Name) and dotted(node) in CALLS:
                counts[path.relative_to(ROOT).as_posix()] += 1
    return counts


def test_every_call_that_parses_is_a_reader_or_reads_our_own_data():
    known = {**READERS, **OWN}
    strange = sorted(set(found()) - set(known))
    assert not strange, f"read through jsonio, textfiles, images.decode, metrics.npz, runs.tables: {strange}"
    assert not sorted(set(known) - set(found())), "these parse nothing any more"


def test_models_of_libraries_are_loaded_where_their_errors_become_one_sentence():
    bare = []
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        guarded = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.Try) and node.handlers
            for each in node.body
            for inner in ast.walk(each)
        }
        bare += [
            f"{path.relative_to(ROOT)}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "from_pretrained"
            and id(node) not in guarded
        ]
    assert not bare, bare
