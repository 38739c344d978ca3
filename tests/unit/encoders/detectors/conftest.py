"""A tiny random Mask2Former in transformers' layout, whose class head is loud enough to be sure of something."""

import pytest
import torch


@pytest.fixture(scope="session")
def tiny_mask2former(tmp_path_factory):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    backbone = transformers.SwinConfig(
        image_size=64,
        embed_dim=16,
        depths=[1, 1, 1, 1],
        num_heads=[1, 2, 2, 4],
        window_size=4,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = transformers.Mask2FormerConfig(
        backbone_config=backbone,
        num_queries=12,
        hidden_dim=32,
        mask_feature_size=32,
        feature_size=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_feedforward_dim=32,
        dim_feedforward=64,
        num_attention_heads=2,
        num_labels=80,
    )
    network = transformers.Mask2FormerForUniversalSegmentation(config).eval()
    with torch.no_grad():
        network.class_predictor.weight.mul_(60)
    folder = tmp_path_factory.mktemp("mask2former")
    network.save_pretrained(folder)
    return folder
