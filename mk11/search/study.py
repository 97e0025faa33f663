"""A search that goes on where it stopped: trials in an Optuna study on disk, one process each."""

import itertools
import os
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from mk11.errors import UserError
from mk11.runs.environment import process_lives
from mk11.search.command import trial_command
from mk11.search.file import SearchFile
from mk11.search.objective import result_path, trial_value
from mk11.search.process import run_command

SQLITE = (".db", ".sqlite", ".sqlite3")


def open_study(search: SearchFile, path: Path) -> optuna.Study:
    """The search's study in a file, begun or continued; `.db` or `.sqlite` are SQLite, others a journal.

    Raises:
        UserError: The file holds a search over other parameters or of another objective.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path.parent.mkdir(parents=True, exist_ok=True)
    study = optuna.create_study(
        study_name=search.name, storage=_storage(path), direction=search.direction, load_if_exists=True
    )
    if study.user_attrs.get("fingerprint", search.fingerprint()) != search.fingerprint():
        raise UserError(
            f"{path} holds search {search.name} with other parameters, method or metric; give another"
            " file with --storage"
        )
    study.set_user_attr("fingerprint", search.fingerprint())
    _take_up(study)
    if search.method == "grid":
        _plan_grid(study, search)
    return study


def _storage(path: Path) -> BaseStorage:
    if path.suffix in SQLITE:
        return RDBStorage(f"sqlite:///{path.absolute()}")
    return JournalStorage(JournalFileBackend(str(path)))


def _plan_grid(study: optuna.Study, search: SearchFile) -> None:
    """Put every cell in the queue that is not there yet, in the order of the file."""
    varying = [parameter for parameter in search.parameters if parameter.kind != "constant"]
    for cell in itertools.product(*(parameter.grid() for parameter in varying)):
        values = {parameter.name: value for parameter, value in zip(varying, cell, strict=True)}
        study.enqueue_trial(values, skip_if_exists=True)


def _take_up(study: optuna.Study) -> None:
    """Queue again what was running in a process of this machine that is gone: its run folder resumes."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        owner = trial.user_attrs.get("process", {})
        if owner.get("host") == socket.gethostname() and not process_lives(owner["pid"]):
            study.tell(trial.number, state=TrialState.FAIL)
            _again(study, trial)


def _again(study: optuna.Study, trial: FrozenTrial) -> None:
    study.enqueue_trial(trial.params, user_attrs={"instead_of": trial.number})


@dataclass(frozen=True)
class Searching:
    """A study at work: how trials are sampled and where their logs go."""

    search: SearchFile
    study: optuna.Study
    overrides: Sequence[str]
    logs: Path
    seed: int

    def run(self, trials: int, after_each: Callable[[FrozenTrial], None]) -> None:
        """Go on until the study has `trials` trials, finished or failed, or a grid has no more cells."""
        while self._left(trials) > 0:
            trial = self.study.ask()
            try:
                trial.set_user_attr("process", {"host": socket.gethostname(), "pid": os.getpid()})
                self._run(trial)
            except BaseException:  # Ctrl-C: the same values again, when the search goes on
                trial.set_user_attr("error", "interrupted")
                self.study.tell(trial, state=TrialState.FAIL)
                _again(self.study, self._frozen(trial))
                raise
            after_each(self._frozen(trial))

    def _left(self, trials: int) -> int:
        told = self.study.get_trials(deepcopy=False)
        waiting = sum(trial.state == TrialState.WAITING for trial in told)
        if self.search.method == "grid" and not waiting:
            return 0
        replaced = {trial.user_attrs.get("instead_of") for trial in told}
        return trials - sum(
            trial.state != TrialState.WAITING and trial.number not in replaced for trial in told
        )

    def _run(self, trial: optuna.Trial) -> None:
        """One trial, from its values to its end in the study."""
        # A sampler of the trial's own: a continued search must not draw again what it drew at its start.
        self.study.sampler = _sampler(self.search.method, seed=self.seed * 100_003 + trial.number)
        values = {parameter.name: parameter.suggest(trial) for parameter in self.search.parameters}
        command = trial_command(self.search, values, self.overrides)
        log, begun = self.logs / f"{trial.number:04d}.log", time.time()
        for key, told in {"values": values, "command": command, "log": str(log)}.items():
            trial.set_user_attr(key, told)
        ended = run_command(command, log=log, environment=os.environ)
        trial.set_user_attr("seconds", round(time.time() - begun, 1))
        try:
            if ended.status:
                raise UserError(ended.last_words)
            value = trial_value(self.search, ended.last_line)
            trial.set_user_attr("result", str(result_path(ended.last_line)))
        except (UserError, KeyError, TypeError, ValueError) as error:
            trial.set_user_attr("error", str(error))
            self.study.tell(trial, state=TrialState.FAIL)
        else:
            self.study.tell(trial, value)

    def _frozen(self, trial: optuna.Trial) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[trial.number]


def _sampler(method: str, *, seed: int) -> optuna.samplers.BaseSampler:
    return (optuna.samplers.TPESampler if method == "bayes" else optuna.samplers.RandomSampler)(seed=seed)
