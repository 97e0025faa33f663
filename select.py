"""Find cell regions in unlabelled fields and select those to pre-train on (ActiveSSF), for one fold.

Example: python select.py selection=activessf
Example: python select.py fields=folder fields.root=DIR data=mk11 fold=2
"""

if __name__ == "__main__":
    from pathlib import Path

    import hydra
    from omegaconf import DictConfig

    from mk11.cli.matrix.table import told_at_the_end

    @hydra.main(version_base="1.3", config_path="conf", config_name="select")
    def main(cfg: DictConfig) -> float | None:
        """Compose, run, and return how many regions were selected, for sweeps."""
        from mk11.cli.selection.script import select  # imported late: `--help` needs no torch

        return select(cfg, script=Path(__file__).resolve())

    with told_at_the_end():
        main()

elif __name__ == "select":
    # Python wanted its own `select` module and met this script first on the path: become that module.
    import sys

    first = sys.path.pop(0)
    del sys.modules["select"]
    import select

    globals().update(vars(select))
    sys.path.insert(0, first)
