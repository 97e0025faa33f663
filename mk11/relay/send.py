"""Rebuild one W&B run from a run folder."""

from mk11.relay.plan import Parcel
from mk11.runs.pseudonyms import Pseudonyms
from mk11.training.loggers.binding import remember_arrival
from mk11.training.loggers.connection import connect, run_options
from mk11.training.loggers.published import replay

INIT_TIMEOUT = 60.0  # s to wait for the server


def send(parcel: Parcel, *, pseudonyms: Pseudonyms | None, finish_timeout: float) -> str:
    """Upload history, summary, image, table and predictions; returns `entity/project/id`.

    What the server has of this id already, of the same epochs, stays as it is there.

    Raises:
        Exception: Whatever W&B raises; the run is then sent again by the next call.
    """
    run = parcel.run
    tags = list(((run.config.get("logger") or {}).get("wandb") or {}).get("tags") or [])
    options = run_options(
        run.folder,
        run.config,
        run.record,
        mode="online",
        project=parcel.project,
        entity=parcel.entity,
        tags=tags,
    )
    target = connect(options, init_timeout=INIT_TIMEOUT, finish_timeout=finish_timeout)
    try:
        replay(target, run.folder, pseudonyms)
    except BaseException:
        target.finish(exit_code=1)
        raise
    target.finish(exit_code=0)
    remember_arrival(
        run.folder,
        content=parcel.content,
        project=parcel.project,
        entity=target.entity,
        run=target.id,
    )
    return f"{target.entity}/{target.project}/{target.id}"
