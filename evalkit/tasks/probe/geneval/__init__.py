"""GenEval (Ghosh et al. 2023, arXiv:2310.11513): six tasks on objects, judged by a detector and a colour classifier."""
