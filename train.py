"""Train a subtype classifier on one fold and evaluate it.

Example: python train.py model=convnext fold=2
"""

import hydra
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
def main(cfg: DictConfig) -> float | None:
    """Compose, run, and return the best validation value of the monitored metric for sweeps."""
    from mk11.cli.train import train  # imported late: `--help` needs no torch

    return train(cfg)


if __name__ == "__main__":
    main()
