"""A study as a table, and the configuration it has found."""

import csv
import shlex
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from mk11.files import replacing
from mk11.search.file import SearchFile


def write_trials(study: optuna.Study, search: SearchFile, path: Path) -> None:
    """All trials as CSV: number, state, value, every parameter, time, result, error, command."""
    names = [parameter.name for parameter in search.parameters]
    columns = ["trial", "state", search.metric or "value", *names, "seconds", "result", "error", "command"]
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for trial in study.get_trials(deepcopy=False):
            told = trial.user_attrs
            writer.writerow(
                [
                    trial.number,
                    trial.state.name.lower(),
                    "" if trial.value is None else repr(trial.value),
                    *(told.get("values", {}).get(name, "") for name in names),
                    *(told.get(key, "") for key in ("seconds", "result", "error")),
                    shlex.join(told.get("command", [])),
                ]
            )


def line_of(trial: FrozenTrial, search: SearchFile) -> str:
    """One trial in one line."""
    told = trial.user_attrs
    varying = [parameter.name for parameter in search.parameters if parameter.kind != "constant"]
    values = " ".join(f"{name}={told['values'][name]}" for name in varying)
    if trial.state == TrialState.COMPLETE:
        return f"trial {trial.number}: {search.metric or 'value'} {trial.value:.4f}  {values}"
    return f"trial {trial.number}: failed  {values}\n  {told.get('error')}; see {told.get('log')}"


def conclusion(study: optuna.Study, search: SearchFile) -> str:
    """What was found, with the command that gives it again."""
    done = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if search.metric is None:
        return f"{len(done)} finished; the file has no metric, so nothing is chosen"
    if not done:
        return "no trial has finished"
    best = study.best_trial
    lines = [
        f"best of {len(done)}: trial {best.number}, {search.metric} {best.value:.4f}",
        f"  {shlex.join(best.user_attrs['command'])}",
        f"Chosen on the validation splits of these folds: tables show it as tuned by {search.name}.",
        "An honest figure comes from patients that took no part (data.holdout, fold=final).",
    ]
    return "\n".join(lines)
