"""Named definitions of image-set metrics: how images reach the network, and which estimator is meant."""

from evalkit.protocols.score.protocol import (
    ScoreProtocol,
    load_score_protocol,
    score_protocol_ids,
)

__all__ = ["ScoreProtocol", "load_score_protocol", "score_protocol_ids"]
