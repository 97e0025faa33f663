"""What a user can put right: errors that name the key or file, the rule and the value."""


class UserError(ValueError):
    """A mistake in the configuration, the data or a file, told in one sentence.

    The scripts print the sentence without a traceback and end with status 2.
    """


class NonFiniteLossError(RuntimeError):
    """A loss of NaN or infinity: training cannot go on. `rows`: the batch's, in the table of images."""

    def __init__(self, *, loss: float, epoch: int, step: int, rows: list[int]) -> None:
        super().__init__(f"the loss is {loss} in epoch {epoch}, step {step}")
        self.loss, self.epoch, self.step, self.rows = loss, epoch, step, rows
