"""What every run leaves of itself whatever it does: config, `run.json`, mirrors."""

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from socket import gethostname
from typing import Any

from hydra.utils import instantiate
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from mk11.cli.base import BaseJob
from mk11.files import replacing
from mk11.runs.environment import commit, device_name, versions
from mk11.runs.folder import RunFolder
from mk11.training.loggers import Mirror


@contextmanager
def recorded(job: BaseJob) -> Iterator[None]:
    """Write down the config, and in `run.json` what begins and how it ended; a traceback into `error.txt`."""
    folder, before, begun = job.folder, job.folder.read(), time.time()
    start = {
        "commit": commit(),
        "device": device_name(job.cfg.trainer.accelerator),
        "hostname": gethostname(),
        "started": _now(),
    }
    starts = [*before.get("starts", []), start]
    if before and before["commit"] != start["commit"]:
        print(f"begun by commit {before['commit']}, goes on at {start['commit']}")
    with replacing(folder.config) as temporary:
        temporary.write_text(OmegaConf.to_yaml(OmegaConf.create(job.config)))
    record = {**job.record(), "versions": versions(), **start, "starts": starts, "status": "running"}
    folder.update(record)
    status = "failed"
    try:
        yield
        status = "finished"
        folder.error.unlink(missing_ok=True)
    except (KeyboardInterrupt, SystemExit):
        status = "interrupted"
        raise
    except BaseException:
        folder.error.write_text(traceback.format_exc())
        raise
    finally:
        seconds = before.get("seconds", 0) + time.time() - begun
        folder.update({"status": status, "ended": _now(), "seconds": round(seconds, 1)})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def mirrored(job: BaseJob) -> Iterator[list[Mirror]]:
    """The loggers that the config asks for; each is always told how the run ended."""
    makers = [instantiate(node, _partial_=True, _convert_="all") for node in job.cfg.logger.values()]
    mirrors = [make(folder=job.folder, config=job.config, record=job.record()) for make in makers]
    code = 1
    try:
        yield mirrors
        code = 0
    finally:
        for mirror in mirrors:
            mirror.finish(code)


def stored_config(folder: RunFolder) -> dict[str, Any]:
    """The config that a run has stored; empty where there is none, or a damaged one."""
    try:
        config = OmegaConf.to_container(OmegaConf.load(folder.config))
    except (OSError, ValueError, YAMLError, OmegaConfBaseException):
        return {}
    return config if isinstance(config, dict) else {}  # type: ignore[return-value]
