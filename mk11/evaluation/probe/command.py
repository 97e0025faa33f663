"""`python -m mk11.evaluation.probe`: every encoder and fold is checked before anything is computed."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mk11.data.settings import check_whole
from mk11.errors import UserError
from mk11.evaluation.probe.configurations import Probed, means
from mk11.evaluation.probe.data import Asked, DataSets, is_fold
from mk11.evaluation.probe.encoders import Encoder, encoder_of, untrained
from mk11.evaluation.probe.extract import Computing, Extractor
from mk11.evaluation.probe.from_timm import encoder_of_timm
from mk11.evaluation.probe.measure import Settings, measure
from mk11.evaluation.probe.record import entry, write_probe
from mk11.evaluation.probe.table import print_mean, print_probe
from mk11.evaluation.probe.words import OF_COMPUTING, OF_FOLDS, told_as
from mk11.files import writable_folder
from mk11.loop.precision import autocast_type, resolve_precision
from mk11.terminal import console_of, plain, with_progress

NEIGHBOURS = (1, 5, 10, 20, 50, 100)  # DINO tries 10 to 200; small classes need fewer
TEMPERATURE = 0.07  # Wu et al. 2018, sec. 3.4; DINO's too
STRENGTHS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
STEPS = 2000
LEAST = {"draws": 1, "seed": 0, "batch_size": 1, "workers": 0}
KEYS = ("data=", "data.", "data/", "fold=")


@dataclass(frozen=True)
class Words:
    """What stands on the command line without an option's name, sorted."""

    runs: tuple[Path, ...]
    overrides: tuple[str, ...]
    folds: tuple[str, ...]


class Work(NamedTuple):
    """What is to be done with one encoder."""

    encoder: Encoder
    asked: Sequence[Asked]
    class_token: bool


def probe(options: argparse.Namespace) -> None:
    """Probe, print a table for each encoder, and write `probe.json` beside it."""
    words = sort_words(options.words, options.fold)
    _check(options, words)
    encoders = [encoder_of(run, class_token=options.class_token) for run in words.runs]
    if options.encoder is not None:
        keys = ("weights", "image_size", "class_token", "seed")
        chosen = {key: getattr(options, key) for key in keys}
        encoders.append(encoder_of_timm(options.encoder, home=options.out, **chosen))
    if options.untrained:
        encoders = [one for trained in encoders for one in (trained, untrained(trained, seed=options.seed))]
    sets = DataSets(words.overrides)
    with told_as(OF_FOLDS):
        plans = [(encoder, sets.asked(encoder, words.folds)) for encoder in encoders]
    computing, precision = _computing(options)
    for encoder, _ in plans:
        key = "--out" if options.out in (encoder.home, *encoder.home.parents) else "the place of probe.json"
        writable_folder(key, encoder.home)
    probed = []
    for encoder, asked in plans:
        one = Work(encoder, asked, class_token=bool(encoder.about.get("class_token")))
        probed.append(Probed(encoder, _probe_one(one, _settings(options), computing, precision)))
    for mean in means(probed):
        print_mean(console_of(), mean.name, mean.results)


def sort_words(words: Sequence[str], after_fold: Sequence[str]) -> Words:
    """Runs, keys and folds; argparse gives to `--fold` all that follows it, so that part is sorted as well.

    Raises:
        UserError: A key that is not of the data, or what can neither be a fold nor a run.
    """
    folds = [word for word in after_fold if is_fold(word)]
    for word in after_fold:
        if not (is_fold(word) or "=" in word or "/" in word or Path(word).exists()):
            raise UserError(f"--fold must be numbers, final or all, but has {word}")
    rest = [*words, *(word for word in after_fold if not is_fold(word))]
    keys = [word for word in rest if "=" in word and not Path(word).exists()]
    wrong = [key for key in keys if not key.startswith(KEYS)]
    if wrong:
        raise UserError(f"KEY=VALUE must be data=..., data.KEY=... or fold=..., but is {wrong[0]}")
    for key in keys:
        folds += key.removeprefix("fold=").split(",") if key.startswith("fold=") else []
    return Words(
        runs=tuple(Path(word) for word in rest if word not in keys),
        overrides=tuple(key for key in keys if not key.startswith("fold=")),
        folds=tuple(folds),
    )


def _check(options: argparse.Namespace, words: Words) -> None:
    """UserError for what no data could make right."""
    for name, least in LEAST.items():
        check_whole(f"--{name.replace('_', '-')}", getattr(options, name), least=least)
    for shots in options.shots:
        check_whole("--shots", shots, least=1)
    if options.image_size is not None:
        check_whole("--image-size", options.image_size, least=1)
    wrong = [fold for fold in words.folds if not is_fold(fold)]
    if wrong:
        raise UserError(f"--fold must be numbers, final or all, but has {wrong[0]}")
    if not words.runs and options.encoder is None:
        raise UserError("RUN or --encoder must be given: --help shows examples")
    if options.encoder is None and (options.weights, options.image_size, options.out) != ("none", None, None):
        raise UserError("--encoder must be given with --weights, --image-size or --out, but is not")


def _settings(options: argparse.Namespace) -> Settings:
    return Settings(
        neighbours=NEIGHBOURS,
        temperature=TEMPERATURE,
        strengths=STRENGTHS,
        steps=STEPS,
        shots=tuple(sorted(set(options.shots))),
        draws=options.draws,
        seed=options.seed,
    )


def _computing(options: argparse.Namespace) -> tuple[Computing, str]:
    """Where to compute, and Lightning's name of the precision."""
    gpu = options.device != "cpu" and torch.cuda.is_available()
    if options.device == "gpu" and not gpu:
        raise UserError("--device must be auto or cpu where there is no GPU, but is gpu")
    with told_as(OF_COMPUTING):
        precision = resolve_precision(options.precision, accelerator="auto" if gpu else "cpu")
    device = torch.device("cuda" if gpu else "cpu")
    return Computing(device, autocast_type(precision), options.batch_size, options.workers), precision


def _probe_one(work: Work, settings: Settings, computing: Computing, precision: str) -> list[dict[str, Any]]:
    """One encoder on its folds; each result is written as soon as it is there."""
    encoder = work.encoder
    extractor, results = Extractor(encoder, computing), []
    for one in with_progress(work.asked, total=len(work.asked), title=encoder.name, unit="fold"):
        splits = extractor.splits(one.fold, one.data)
        table = one.fold.table
        groups = table.loc[table["split"] == "train", "group"].to_numpy()
        found = measure(splits, one.fold.classes, groups, settings)
        results.append(entry(one, settings, found, precision=precision, class_token=work.class_token))
        path = write_probe(encoder, extractor.ready, results)
    console = console_of()
    print_probe(console, encoder.name, results)
    console.print(plain(f"written: {path}"), soft_wrap=True, markup=False)
    return results
