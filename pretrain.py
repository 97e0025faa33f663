"""Pre-train an encoder on images without labels by MAE, ConvMAE, MoCo v3 or MixMIM, for one fold.

Example: python pretrain.py ssl=mae
Example: python pretrain.py -m ssl=mae,mixmim fold=0,1,2,3,4 jobs=2
"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from mk11.cli.matrix.table import told_at_the_end


@hydra.main(version_base="1.3", config_path="conf", config_name="pretrain")
def main(cfg: DictConfig) -> float | None:
    """Compose, run, and return what the encoder is worth, by `monitor`, for sweeps."""
    from mk11.cli.pretrain.script import pretrain  # imported late: `--help` needs no torch

    return pretrain(cfg, script=Path(__file__).resolve())


if __name__ == "__main__":
    with told_at_the_end():
        main()
