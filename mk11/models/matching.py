"""Comparing a file's tensors with a network's: what is loaded, and whether that is the whole encoder."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from mk11.errors import UserError
from mk11.models.official import RECOMPUTED, State

NAMES_SHOWN = 4
POOLED_NORM = "fc_norm."  # of networks that average the patch tokens: it takes the place of the final norm


@dataclass(frozen=True, kw_only=True)
class WeightsReport:
    """What became of each tensor. Names are the network's own, except in ``unexpected`` and ``aside``."""

    matched: tuple[str, ...]  # loaded
    missing: tuple[str, ...]  # encoder tensors that the file lacks or has in another shape
    unexpected: tuple[str, ...]  # in the file, without a place in the network
    aside: tuple[str, ...]  # in the file, known not to be the encoder's: decoder, projector, optimiser
    replaced: tuple[str, ...]  # start fresh: a head of another number of classes, the norm after a mean
    method: str | None  # who made the file, where its names tell
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None  # mean and std it expects, if known
    source: str
    content_hash: str | None

    def sentence(self) -> str:
        """One line for the log."""
        aside = f" {len(self.aside)} left aside{_named(_parts(self.aside))}," if self.aside else ""
        fresh = " and ".join(_parts(self.replaced))
        return (
            f"{self.source}: {len(self.matched)} tensors matched,"
            f" {len(self.missing)} missing{_named(self.missing)},"
            f" {len(self.unexpected)} unexpected{_named(self.unexpected)},{aside}"
            f" fresh: {fresh or 'nothing'}"
        )


def compare(network: nn.Module, state: State, **known: Any) -> WeightsReport:  # noqa: ANN401
    """Which of the network's tensors ``state`` fills; ``known`` are the report's other fields."""
    own = {name: tensor for name, tensor in network.state_dict().items() if not name.endswith(RECOMPUTED)}
    fits = {name for name, tensor in own.items() if name in state and state[name].shape == tensor.shape}
    head = _head_names(network)
    if not head <= fits:
        fits -= head
    norm = _norm_of_the_mean(own, state)
    # Files written before torch 0.4.1 have no batch counters, and nothing here reads them.
    encoder = {name for name in own if not name.endswith("num_batches_tracked")} - head - norm
    dropped = {name for name in state if norm and name.startswith("norm.")}
    known["aside"] = (*(name for name in state if name in dropped), *known["aside"])
    return WeightsReport(
        matched=tuple(name for name in own if name in fits),
        missing=tuple(name for name in own if name in encoder - fits),
        unexpected=tuple(name for name in state if name not in own and name not in dropped),
        replaced=tuple(name for name in own if name in (head | norm) - fits),
        **known,
    )


def refuse_misfit(
    report: WeightsReport, network: nn.Module, state: State, *, allow_partial: bool, hint: str
) -> None:
    """Raise a UserError for another architecture's file, for gaps, and for layers without a place."""
    architecture = cast(Mapping[str, Any], network.pretrained_cfg)["architecture"]
    if not report.matched:
        raise UserError(
            f"model.weights={report.source} must be weights of {architecture}, but none of its tensors fits"
            f" (its first: {', '.join(list(state)[:NAMES_SHOWN])}){hint}"
        )
    # A deeper network's file fills a shallower one completely; only its surplus layers give it away. What
    # lies beside the network is reported, no more.
    parts = {name.split(".")[0] for name in network.state_dict()}
    surplus = tuple(name for name in report.unexpected if name.split(".")[0] in parts)
    if allow_partial or not (report.missing or surplus):
        return
    raise UserError(
        f"model.weights={report.source} must fill the whole encoder of {architecture}, but"
        f" {len(report.missing)} of its tensors are missing or of another shape{_named(report.missing)} and"
        f" {len(surplus)} in the file have no place{_named(surplus)}{hint};"
        f" model.allow_partial=true starts from the {len(report.matched)} that fit"
    )


def _head_names(network: nn.Module) -> set[str]:
    classifier = cast(Any, network).get_classifier()
    heads = classifier if isinstance(classifier, tuple) else (classifier,)  # a distilled DeiT has two
    parameters = {id(parameter) for head in heads for parameter in head.parameters()}
    return {name for name, parameter in network.named_parameters() if id(parameter) in parameters}


def _norm_of_the_mean(own: Iterable[str], state: State) -> set[str]:
    """Names of a norm that follows the mean of the tokens and starts fresh (MAE's and ConvMAE's fine-tuning).

    The file's own final norm was before any mean: it is left aside, not put in this one's place.
    """
    if "norm.weight" in own or "norm.weight" not in state:
        return set()
    norm = {name for name in own if name.startswith(POOLED_NORM)}
    return norm if norm.isdisjoint(state) else set()


def _parts(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.split(".")[0] for name in names))


def _named(names: tuple[str, ...]) -> str:
    more = ", ..." if len(names) > NAMES_SHOWN else ""
    return f" ({', '.join(names[:NAMES_SHOWN])}{more})" if names else ""
