"""Train a subtype classifier on one fold and evaluate it, or a whole matrix of models, folds and seeds.

Example: python train.py model=convnext fold=2
Example: python train.py -m model=convnext,vit fold=0,1,2,3,4 jobs=2
"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from mk11.cli.matrix.table import told_at_the_end


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Compose, run, and return the best validation value of the monitored metric for sweeps."""
    from mk11.cli.train import train  # imported late: `--help` needs no torch

    return train(cfg, script=Path(__file__).resolve())


if __name__ == "__main__":
    with told_at_the_end():
        main()
