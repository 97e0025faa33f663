"""What a comparison may be said to have shown: one rule for tables, page and terminal."""

from typing import Literal

from mk11.evaluation.statistics.comparison import Comparison

Verdict = Literal["higher", "lower", "not shown"]


def verdict(result: Comparison, *, alpha: float) -> Verdict:
    """Whether the first configuration was shown to have a higher or a lower figure than the second.

    Shown only if the bootstrap interval lies on one side of 0 and the corrected t-test over folds, where
    there is one, agrees: the interval is about new patients and the test about new training sets as well.
    `not shown` is no proof that the two are equal.
    """
    if result.p_corrected is not None and result.p_corrected >= alpha:
        return "not shown"
    if result.interval.low > 0:
        return "higher"
    return "lower" if result.interval.high < 0 else "not shown"
