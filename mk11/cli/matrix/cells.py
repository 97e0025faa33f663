"""One cell of a matrix: known by its config, run as a process of its own, recorded as it ends."""

import copy
import os
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from omegaconf import DictConfig

from mk11.cli.base import BaseJob
from mk11.cli.matrix.devices import claimed
from mk11.cli.matrix.records import CellRecord, MatrixFolder
from mk11.cli.matrix.supervise import SilentError, Watch, supervise
from mk11.cli.sentence import sentence
from mk11.errors import UserError
from mk11.runs.environment import commit
from mk11.training.loggers import without_sweep


@dataclass(frozen=True)
class Cell:
    """A job of the matrix, and the script that runs it."""

    job: BaseJob
    script: Path
    matrix: MatrixFolder
    record: CellRecord
    jobs: int  # cells at one time

    def run(self) -> CellRecord:
        """Run it unless it is finished; whatever happens is in the record that comes back.

        A matrix that is being stopped begins no more cells: such a record is `not begun`.
        """
        if self.matrix.stopping():
            self.record.status = "not begun"
            if self.record.fold is not None:  # of `fold=all`: nothing else tells which folds there were
                self.matrix.write(self.record)
            return self.record
        begun = time.time()
        self.matrix.write(self.record)
        try:
            self._run()
        except KeyboardInterrupt:
            self._ended("interrupted", None)
        except SilentError:
            limit = self.job.cfg.jobs_timeout
            self._ended("timed_out", f"no output and no progress for {limit} s (jobs_timeout)")
        except (UserError, InstantiationException) as error:
            self._ended("failed", sentence(error))
        except Exception as error:  # the other cells go on
            self._log(traceback.format_exc())
            self._ended("failed", f"{type(error).__name__}: {error}")
        finally:
            self.record.seconds = round(time.time() - begun, 1)
            self.matrix.write(self.record)
            self._say(self._outcome())
        return self.record

    def _run(self) -> None:
        job = self.job
        job.check()
        self.record.folder = str(job.folder.path)
        if is_finished(job):
            remember_search(job)
            self.record.status, self.record.value = "skipped", job.value()
            return
        self.matrix.write(self.record)  # with the folder: whoever looks can follow it
        with claimed(
            _gpus(job), per_gpu=job.cfg.jobs_per_gpu, wait=self._waits, stopped=self.matrix.stopping
        ) as devices:
            status = supervise(self._watch(devices))
        if status == 0:
            self.record.status, self.record.value = "finished", job.value()
        else:
            self._ended("failed", self._last_words(status))

    def _watch(self, devices: Mapping[str, str]) -> Watch:
        return Watch(
            command=self.command(),
            environment={**without_sweep(os.environ), **self._threads(devices), **devices},
            log=self.matrix.log(self.record),
            say=self._echo,
            silence=self.job.cfg.jobs_timeout,
            signs=self.job.signs,
            stopped=self.matrix.stopping,
        )

    def command(self) -> list[str]:
        """The command line of the cell alone."""
        return script_command(self.script, self.record.overrides)

    def _threads(self, devices: Mapping[str, str]) -> dict[str, str]:
        """Cells at one time share the processor's cores, unless told otherwise."""
        if self.jobs == 1 or devices or self.job.cfg.threads or "OMP_NUM_THREADS" in os.environ:
            return {}
        return {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // self.jobs))}

    def _ended(self, status: str, error: str | None) -> None:
        """Record an end that is no success, also in the run folder if the run could not."""
        self.record.status, self.record.error = status, error
        if self.record.folder is not None and self.job.folder.path.is_dir():
            with suppress(OSError, UserError):
                kind = "interrupted" if status == "interrupted" else "failed"
                self.job.folder.mark_dead(kind, error or status)

    def _last_words(self, status: int) -> str:
        """The last line that the run said, or what its status means."""
        how = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
        log = self.matrix.log(self.record)
        lines = log.read_text(errors="replace").split("\n") if log.exists() else []
        said = [line.strip() for line in lines if line.strip()]
        return said[-1] if said and status > 0 else how

    def _log(self, text: str) -> None:
        path = self.matrix.log(self.record)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as log:
            log.write(text)

    def _outcome(self) -> str:
        record = self.record
        minutes = "" if record.seconds is None else f" after {record.seconds / 60:.1f} min"
        if record.status == "skipped":
            return f"finished already: {record.folder}"
        return f"{record.status}{minutes}{f': {record.error}' if record.error else ''}"

    def _waits(self) -> None:
        self._say("waits for a free GPU (jobs_per_gpu lets cells share one)")

    def _echo(self, line: str) -> None:
        """What the run says goes to the terminal until it is to end; then it is in the log alone."""
        if not self.matrix.stop.exists():
            self._say(line)

    def _say(self, line: str) -> None:
        print(f"[{self.title}] {line}", flush=True)

    @property
    def title(self) -> str:
        """What is trained, fold and seed, for the terminal."""
        cfg = self.job.cfg
        return f"{self.job.row} fold {cfg.fold} seed {cfg.seed}"


def script_command(script: Path, overrides: Sequence[str]) -> list[str]:
    """The command line of one run of a script, with what this process's own says of Hydra.

    `hydra.mode=RUN` outweighs a `sweep=` group.
    """
    hydra = HydraConfig.get()
    kept = ("hydra.searchpath", "hydra.verbose")
    passed = [override for override in hydra.overrides.hydra if override.lstrip("+~").startswith(kept)]
    folders = [source.path for source in hydra.runtime.config_sources if source.provider == "command-line"]
    place = ["--config-dir", folders[0]] if folders else []
    return [sys.executable, str(script), *place, *overrides, *passed, "hydra.mode=RUN"]


def cells_of(
    cfg: DictConfig, *, script: Path, matrix: MatrixFolder, num: int, jobs: int, kind: type[BaseJob]
) -> list[Cell]:
    """The cell that a composed config of a script's `kind` of job asks for, or with `fold=all` one a fold.

    Raises:
        UserError: The folds of `fold=all` cannot be told, as the config or the data are wrong.
    """
    job = kind.of(cfg)
    if cfg.fold != "all":
        return [Cell(job, script, matrix, CellRecord(num, job.overrides), jobs)]
    job.check()
    parts = {fold: _of_fold(job, fold) for fold in job.data.fold_numbers}
    return [
        Cell(part, script, matrix, CellRecord(num, part.overrides, fold=fold), jobs)
        for fold, part in parts.items()
    ]


def _of_fold(job: BaseJob, fold: int) -> BaseJob:
    cfg = copy.deepcopy(job.cfg)
    cfg.fold = fold
    rest = [override for override in job.overrides if override.split("=", 1)[0].lstrip("+") != "fold"]
    return type(job)(cfg=cfg, choices=job.choices, overrides=[*rest, f"fold={fold}"])


def is_finished(job: BaseJob) -> bool:
    """Whether the job's result is there, whole, and may stay."""
    folder, rerun = job.folder, job.cfg.rerun
    if rerun is True or folder.status() != "finished":
        return False
    if not folder.metrics.exists() or not job.product.exists():
        return False
    return not (rerun == "stale" and folder.read().get("commit") != commit())


def remember_search(job: BaseJob) -> None:
    """Note on a finished run that a search has met it since: its tables must say that it was tuned.

    The caller holds the folder, or nobody writes a finished one.
    """
    search = (job.config.get("analysis") or {}).get("tuned")
    if search is not None and job.folder.read().get("tuned") != search:
        job.folder.update({"tuned": search})


def _gpus(job: BaseJob) -> int:
    """GPUs that the run will use; none where its accelerator is the CPU."""
    return 0 if job.cfg.trainer.accelerator == "cpu" else int(job.cfg.trainer.devices)
