from evalkit.encoders.registry import load_encoder as load_encoder
from evalkit.generators.registry import load_generator as load_generator
from evalkit.images import open_images as open_images
from evalkit.leaderboard import make_leaderboard as make_leaderboard
from evalkit.prompts.load import load_prompts as load_prompts
from evalkit.provenance.verify import verify_run as verify_run
from evalkit.runs import read_run as read_run
from evalkit.runs.query import query_runs as query
from evalkit.tasks.generate import generate_images as generate_images
from evalkit.tasks.probe.run import probe as probe
from evalkit.tasks.scoring import score as score
from evalkit.tasks.tokenizer import evaluate_tokenizer as evaluate_tokenizer
from evalkit.tokenizers.cards import list_models as list_models
from evalkit.tokenizers.registry import load_tokenizer as load_tokenizer
from evalkit.version import __version__ as __version__
from evalkit.watermark.detection import detect_watermark as detect_watermark
from evalkit.watermark.embed import embed_watermark as embed_watermark

__all__ = [
    "__version__",
    "detect_watermark",
    "embed_watermark",
    "evaluate_tokenizer",
    "generate_images",
    "list_models",
    "load_encoder",
    "load_generator",
    "load_prompts",
    "load_tokenizer",
    "make_leaderboard",
    "open_images",
    "probe",
    "query",
    "read_run",
    "score",
    "verify_run",
]
