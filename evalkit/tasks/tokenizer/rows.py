"""The columns of samples.parquet: one row for each sample and protocol."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from evalkit.tasks.tokenizer.details import COLUMNS as DETAIL
from evalkit.tasks.tokenizer.faces import COUNTS, SCORES

TEXT_RATES = ("cer", "wer", "ned", "word_recall")
REFERENCES = ("truth", "original")

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("protocol", pa.string()),
        ("sha256", pa.string()),
        ("subset", pa.string()),
        ("task", pa.string()),
        ("script", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("codes", pa.int32()),
        ("bpp", pa.float64()),
        ("survival_exact", pa.float64()),
        ("survival_8bit", pa.float64()),
        ("survival_jpeg75", pa.float64()),
        ("shift_psnr", pa.float64()),
        ("shift_codes", pa.float64()),
        ("mse", pa.float64()),
        ("target_low", pa.float64()),
        ("target_high", pa.float64()),
        ("psnr", pa.float64()),
        ("ssim", pa.float64()),
        ("ms_ssim", pa.float64()),
        ("lpips_alex", pa.float64()),
        ("lpips_vgg", pa.float64()),
        ("lpips_squeeze", pa.float64()),
        *((name, pa.float64()) for name in DETAIL),
        *((name, pa.int32()) for name in COUNTS),
        *((name, pa.float64()) for name in SCORES),
        ("text_truth", pa.string()),
        ("text_original", pa.string()),
        ("text_reconstruction", pa.string()),
        ("text_error", pa.string()),
        *((f"{rate}_{reference}", pa.float64()) for reference in REFERENCES for rate in TEXT_RATES),
        ("error", pa.string()),
    ]
)


def table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows (missing columns are null) as a table of the fixed schema."""
    listed = list(rows)
    return pa.table(
        {name: pa.array([row.get(name) for row in listed], SCHEMA.field(name).type) for name in SCHEMA.names},
        schema=SCHEMA,
    )
