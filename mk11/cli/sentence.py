"""A user's mistake in one sentence."""

from hydra.errors import InstantiationException

from mk11.errors import UserError


def sentence(error: Exception) -> str:
    """Hydra wraps what a constructor raises; a value it could not use is told with the config's key."""
    if not isinstance(error, InstantiationException):
        return str(error)
    if isinstance(error.__cause__, UserError):
        return str(error.__cause__)
    return " ".join(f"{error} (HYDRA_FULL_ERROR=1 shows where)".split())
