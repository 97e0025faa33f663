from pytorch_lightning.loggers import Logger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mk11.runs.folder import RunFolder
from mk11.training.loggers import Mirror, tensorboard


class Counting(Mirror):
    """Fails at every metric, and counts how often it was asked."""

    asked = 0

    def send(self, metrics, step):
        self.asked += 1
        raise ConnectionError("lost")

    def finish(self, exit_code):
        self.target = ("ended", exit_code)


def test_after_a_failure_it_is_silent_and_asked_no_more(capsys):
    mirror = Counting("Mirror")
    mirror.target = "somewhere"
    for step in range(3):
        mirror.log_metrics({"val/pr_auc": 0.5}, step=step)
    assert capsys.readouterr().err.count("Mirror failed to log; the run goes on without it: lost") == 1
    assert mirror.asked == 1


def test_a_mirror_that_never_started_is_not_asked():
    mirror = Counting("Mirror")
    mirror.log_metrics({"val/pr_auc": 0.5}, step=0)
    assert mirror.asked == 0


def test_lightning_takes_a_mirror_for_a_logger():
    assert issubclass(Mirror, Logger)


def test_publishing_needs_no_place_for_it(tmp_path):
    logger = tensorboard(folder=RunFolder(tmp_path), config={}, record={})
    logger.publish(RunFolder(tmp_path))
    logger.finish(0)
    assert logger.working


def test_tensorboard_writes_every_metric(tmp_path):
    logger = tensorboard(folder=RunFolder(tmp_path), config={}, record={})
    logger.log_metrics({"val/pr_auc": 0.25}, step=7)
    logger.finish(0)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    (event,) = events.Scalars("val/pr_auc")
    assert (event.step, event.value) == (7, 0.25)


def test_tensorboard_without_a_place_says_so_and_goes_on(tmp_path, capsys):
    (tmp_path / "tensorboard").write_text("in the way")
    logger = tensorboard(folder=RunFolder(tmp_path), config={}, record={})
    logger.log_metrics({"val/pr_auc": 0.25}, step=7)
    logger.finish(0)
    assert "warning: TensorBoard failed to start; the run goes on without it" in capsys.readouterr().err
