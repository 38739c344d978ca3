"""The log-probabilities with which a generator drew its codes, heard while it draws."""

import torch

from evalkit.generators.sampling import law


def heard(model, requests, sampler):
    """(codes [B, N], log-probability float64 [B, N] of each code as it was drawn by `sampler`)."""
    logs = torch.zeros(len(requests), model.tokens_per_image, model.vocab_size, dtype=torch.float64)

    def listen(logits, step):
        at = list(step.positions)
        logs[:, at] = law(logits, sampler)[: len(requests)].log()
        return logits

    model.logits_processors.append(listen)
    try:
        codes = model.sample_tokens(requests)
    finally:
        model.logits_processors.remove(listen)
    return codes, logs.gather(-1, codes[..., None]).squeeze(-1)
