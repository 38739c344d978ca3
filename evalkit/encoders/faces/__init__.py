"""Face detectors. Nobody is recognised: a box and a score are all that is found."""
