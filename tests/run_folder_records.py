"""config.yaml, run.json and progress.json of a synthetic run."""

import json
from copy import deepcopy

import yaml
from run_folder_spec import digest

CONFIG = """
stage: train
name: folder
runs: runs
fold: 0
seed: 0
monitor: pr_auc
workers: 2
threads: null
dry: false
rerun: false
data:
  _target_: mk11.data.cells.CellData
  name: folder
  root: cells
  folds: {count: 5, seed: 0, val_fraction: 0.2, file: null}
  on_leak: auto
  resize: short_side
  target_um_per_pixel: null
  label_map: {file: null, map: null}
model:
  _target_: mk11.models.classifier.create_classifier
  architecture: convnext_tiny.fb_in1k
  drop_path: 0.1
  weights: none
  allow_partial: false
  options: {}
augment: {_target_: mk11.data.transforms.light.Light, brightness: 0.1}
imbalance: {_target_: mk11.training.imbalance.Imbalance}
trainer: {accelerator: cpu, devices: 1, precision: auto, compile: false, progress: auto}
logger: {}
image_size: 96
batch_size: 32
accumulate: 1
epochs: 6
ema_decay: 0.0
clip_norm: 1.0
optim: {base_lr: 0.008, min_lr: 1.0e-06, warmup_epochs: 1.0, weight_decay: 0.05, layer_decay: 1.0}
loss: {label_smoothing: 0.1}
mix: {mixup_alpha: 0.0, cutmix_alpha: 0.0, probability: 1.0, switch_probability: 0.5}
"""


def config_of(spec):
    config = yaml.safe_load(CONFIG)
    config |= {
        "name": spec.name,
        "fold": spec.fold,
        "seed": spec.seed,
        "stage": spec.stage,
        "epochs": spec.epochs,
    }
    config["model"]["architecture"] = f"{spec.model}.test"
    config["data"]["folds"]["count"] = spec.cells.folds
    if not spec.old:
        analysis = {"name": "default", "primary": "f1_macro", "baseline": None, "comparisons": []}
        config["analysis"] = analysis | (spec.analysis or {})
    for dotted, value in spec.config.items():
        *path, last = dotted.split(".")
        place = config
        for key in path:
            place = place.setdefault(key, {})
        place[last] = deepcopy(value)
    return config


def record_of(spec):
    counts = spec.cells.table(spec.fold)["split"].value_counts().to_dict()
    data = {
        "name": "cells",
        "fingerprint": digest(f"{spec.data_set} {spec.cells} {spec.fold}", 16),
        "classes": list(spec.cells.classes),
        "images": counts,
        "marks": spec.marks,
    }
    if not spec.old:
        data |= {"set": spec.data_set, "folds": list(range(spec.cells.folds)), "holdout": 0}
    words = json.dumps([config_of(spec), data, spec.fold, spec.seed], sort_keys=True, default=str)
    ended = {"ended": "2026-03-01T10:05:00+00:00", "seconds": 300.0} if spec.status != "running" else {}
    return {
        "stage": spec.stage,
        "experiment": spec.name,
        "model": spec.model,
        "fold": spec.fold,
        "seed": spec.seed,
        "identity": digest(words, 8),
        "identity_version": 1,
        "data": data,
        "lineage": {"weights": "none", "weights_hash": None, "report": None},
        "precision": "32-true",
        "overrides": [f"model={spec.model}", f"fold={spec.fold}", f"seed={spec.seed}"],
        "choices": {"model": spec.model, "data": "folder", "experiment": spec.row},
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "versions": {"python": "3.11", "torch": "2.15.0", "timm": "1.0.31"},
        "device": "x86_64 CPU, 1 threads",
        "starts": [],
        "started": "2026-03-01T10:00:00+00:00",
        "hostname": "bench",
        "status": spec.status,
        **ended,
        **spec.record,
    }


def progress_of(spec):
    return {
        "epoch": 2,
        "epochs": spec.epochs,
        "step": 3,
        "steps": 10,
        "seconds_per_epoch": 41.2,
        "phase": "training",
        "updated": 1772359200.0,
    }
