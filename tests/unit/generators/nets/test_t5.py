"""Text features come from a folder in the official layout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers.near import same

from evalkit.errors import EvalkitError, WeightsError
from evalkit.generators.nets.t5 import TextEncoder
from evalkit.weights.find import weights_manifest

CPU = torch.device("cpu")


def tiny_t5(folder: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    transformers = pytest.importorskip("transformers")
    words = {"<pad>": 0, "</s>": 1, "<unk>": 2, "a": 3, "red": 4, "fox": 5}
    core = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="<unk>"))
    core.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    core.post_processor = tokenizers.processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    fast.save_pretrained(folder)
    config = transformers.T5Config(vocab_size=6, d_model=8, d_kv=4, d_ff=16, num_layers=1, num_heads=2)
    transformers.T5EncoderModel(config).save_pretrained(folder)
    for name in weights_manifest()["flan-t5-xl"].files:
        if not (folder / name).exists():
            (folder / name).write_text("{}" if name.endswith(".json") else "")


def test_features_of_a_short_text_do_not_depend_on_its_neighbours(tmp_path: Path) -> None:
    tiny_t5(tmp_path)
    encoder = TextEncoder("flan-t5-xl", tmp_path, CPU, torch.float32)
    values, mask = encoder(["a fox", "a red fox a red fox"], 5)
    assert values.shape == (2, 5, 8)
    assert mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    alone, _ = encoder(["a fox"], 5)
    same(alone[0, :3], values[0, :3])


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="config"):
        TextEncoder("flan-t5-xl", tmp_path, CPU, torch.float32)


def test_without_transformers_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(EvalkitError, match=r"evalkit-ar\[hf\]"):
        TextEncoder("flan-t5-xl", tmp_path, CPU, torch.float32)
