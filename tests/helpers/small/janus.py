"""A tiny Janus in transformers' layout: 16 codes, 64 px, a dozen words."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer as Words
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit

WORDS = ["<pad>", "<s>", "</s>", "<image>", "<boi>", "<eoi>", "<unk>", "user", "assistant", "a", "red", "blue", "apple"]
TEMPLATE = (
    "<s>{% for m in messages %} {{ m.role }} {% for c in m.content %} {{ c.text }} {% endfor %}{% endfor %} assistant "
)


def tiny_janus(path: Path) -> Path:
    """Write the model's folder to `path`; its weights follow from a seed."""
    words = Words(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = WhitespaceSplit()
    names = {"image_token": "<image>", "boi_token": "<boi>", "eoi_token": "<eoi>"}
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", bos_token="<s>", eos_token="</s>", extra_special_tokens=names
    )
    images = transformers.JanusImageProcessor()
    transformers.JanusProcessor(images, tokenizer, chat_template=TEMPLATE, num_image_tokens=16).save_pretrained(path)
    text = {"model_type": "llama", "vocab_size": len(WORDS), "hidden_size": 32, "intermediate_size": 48}
    text |= {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4, "pad_token_id": 0}
    vision = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 64, "patch_size": 16}
    vision |= {"projection_dim": 32, "num_image_tokens": 16}
    vq = {"num_embeddings": 24, "base_channels": 32, "latent_channels": 32, "num_patches": 4, "projection_dim": 32}
    vq |= {"image_token_embed_dim": 32, "num_res_blocks": 1}
    config = transformers.JanusConfig(text_config=text, vision_config=vision, vq_config=vq, image_token_id=3)
    torch.manual_seed(0)
    model = transformers.JanusForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "vqmodel" not in name:
                parameter.mul_(3.0)
    model.save_pretrained(path, safe_serialization=True)
    return path
