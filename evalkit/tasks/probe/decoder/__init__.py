"""Which kind of decoder made images: a calibrated classifier that is trained on the user's own folders."""
