"""Finding the ImageNet weights of a timm network: installed, in the hub's local cache, or at the hub itself.

timm alone keeps trying for most of a minute where there is no network; here a user waits for five seconds.
"""

from collections.abc import Mapping
from pathlib import Path
from threading import Thread
from typing import Any

from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url, try_to_load_from_cache

from mk11.errors import UserError
from mk11.models import lite0

WEIGHTS_FILE = "model.safetensors"
PROBE_SECONDS = 5.0


def imagenet_tag(pretrained_cfg: Mapping[str, Any]) -> str:
    """Name of the weights as timm writes it, such as ``convnext_tiny.fb_in1k``."""
    return f"{pretrained_cfg['architecture']}.{pretrained_cfg['tag']}"


def imagenet_file(pretrained_cfg: Mapping[str, Any]) -> Path:
    """Local path of a timm network's ImageNet weights, fetched if need be; else a UserError within 10 s."""
    if pretrained_cfg["architecture"] == lite0.ARCHITECTURE:
        return lite0.packaged_file()
    repository = pretrained_cfg.get("hf_hub_id")
    if not repository:
        raise UserError(f"model.weights=imagenet: timm knows no weights for {pretrained_cfg['architecture']}")
    cached = try_to_load_from_cache(repository, WEIGHTS_FILE)
    if isinstance(cached, str):
        return Path(cached)
    problem = _hub_problem(hf_hub_url(repository, WEIGHTS_FILE))
    if problem:
        raise UserError(_what_to_place(repository, problem))
    try:
        return Path(hf_hub_download(repository, WEIGHTS_FILE))
    except Exception as error:  # whatever the HTTP client, the disk or the hub makes of it
        raise UserError(_what_to_place(repository, type(error).__name__)) from error


def _hub_problem(url: str) -> str:
    """Why the hub does not hand out this file, or "": in a thread, as resolving a name has no time limit."""
    answer = [f"no answer within {PROBE_SECONDS:g} s"]

    def ask() -> None:
        try:
            get_hf_file_metadata(url, timeout=PROBE_SECONDS)
            answer[0] = ""
        except Exception as error:  # any failure means the same to the user
            answer[0] = type(error).__name__

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return answer[0]


def _what_to_place(repository: str, problem: str) -> str:
    return (
        f"model.weights=imagenet needs {WEIGHTS_FILE} of {repository}, which is not in the local hub cache"
        f" and cannot be fetched now ({problem}): download that file where there is a network, place it"
        " anywhere on this machine and set model.weights=PATH to it"
    )
