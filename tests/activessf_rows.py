"""The published rows made small: every stage keeps what its row says, but for sizes, epochs and colours."""

from functools import cache

from conftest import ROOT, composed
from hydra.core.hydra_config import HydraConfig

from mk11.cli.stages.words import quoted

CONF = ROOT / "conf"
ROWS = sorted(path.stem for path in (CONF / "experiment" / "activessf").glob("*.yaml"))
FOLDS = (0, 1)

TRAINING = (
    "epochs=1",
    "optim.warmup_epochs=0",
    "image_size=32",
    "batch_size=16",
    "workers=0",
    "threads=1",
    "trainer=cpu",
    "trainer.progress=none",
    "logger=csv",
)
PRETRAINING = (
    "epochs=1",
    "optim.warmup_epochs=0",
    "image_size=32",
    "batch_size=4",
    "health.every=0",
    "monitor=loss",
)
# Of the tests' discs, instead of one scanner's nuclei.
FINDING = {
    "paper": (
        "filter.illumination=none",
        "filter.ranges.purple={hue:[100,160],saturation:[50,255],value:[0,255]}",
        "filter.limits.min_side_px=12",
        "filter.noise=40",
    ),
    "random_crops": ("filter.count=4", "filter.side_px=24"),
}
SELECTING = (
    "encoder.architecture=test_resnet",
    "encoder.image_size=32",
    "gallery.field_px=64",
    "gallery.crop_px=24",
)
# Of a toy with drawn weights, for which fixed bounds of 15 and 19 are far beyond every crop.
DISTANCES = ("selection.thresholds.lower=0.135", "selection.thresholds.upper=0.18")


@cache
def row_words(row, *, cells, fields, runs, pretraining=()):
    """The words of `python train.py` for a row of a few seconds on a few cells and fields.

    `pretraining`: what its pre-training is told beside.
    """
    cfg = composed("train", f"experiment=activessf/{row}", f"select.fields={fields}")
    network = HydraConfig.get().runtime.choices["model"]
    words = [f"experiment=activessf/{row}", f"data.root={cells}", f"runs={runs}", f"model={_small(network)}"]
    words += ["data.folds.count=3", *TRAINING]
    if cfg.pretrain.ssl is None:
        return words
    ssl = str(cfg.pretrain.ssl)
    overrides = {
        "pretrain.overrides": [*cfg.pretrain.overrides, f"ssl/tiny={ssl}", *PRETRAINING, *pretraining],
        "select.overrides": [*cfg.select.overrides, *_small_selection(cfg.select.overrides)],
    }
    return [*words, f"select.fields={fields}", *(f"{key}={quoted(told)}" for key, told in overrides.items())]


def _small(network):
    """The toy of a network."""
    (found,) = [
        name for name in (f"{network}_tiny", f"{network}_test") if (CONF / f"model/{name}.yaml").exists()
    ]
    return found


def _small_selection(overrides):
    cfg = composed("select", *overrides)
    chosen = HydraConfig.get().runtime.choices["filter"]
    distances = DISTANCES if cfg.selection.thresholds.bounds == "fixed" else ()
    return [*FINDING.get(chosen, ()), *SELECTING, *distances]
