"""Which kind of decoder made images: a calibrated classifier that is trained on the user's own folders."""

from evalkit.tasks.probe.decoder.run import ask_decoder, train_decoder

__all__ = ["ask_decoder", "train_decoder"]
