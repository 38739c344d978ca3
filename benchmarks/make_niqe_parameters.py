"""Make evalkit/metrics/data/niqe.npz from the parameters of NIQE's release, as BasicSR holds them (see NOTICE).

pip download basicsr==1.4.2 --no-deps --no-binary :all:
python benchmarks/make_niqe_parameters.py basicsr-1.4.2/basicsr/metrics/niqe_pris_params.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

OUT = Path("evalkit/metrics/data/niqe.npz")


def main() -> None:
    """Write the mean [36] and the covariance [36, 36]."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parameters", type=Path)
    with np.load(parser.parse_args().parameters) as held:
        mean, covariance = held["mu_pris_param"].ravel(), held["cov_pris_param"]
    if mean.shape != (36,) or covariance.shape != (36, 36):
        raise SystemExit(f"36 features are expected; {mean.shape} and {covariance.shape} are there")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    np.savez(OUT, mean=mean, covariance=covariance)


if __name__ == "__main__":
    main()
