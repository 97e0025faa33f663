"""Pictures inside the page, as data URIs. A browser runs no script of a picture shown by `<img>`."""

from base64 import b64encode
from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n"


def svg_uri(path: Path) -> str:
    """An SVG file."""
    return _uri("svg+xml", path.read_bytes())


def png_uri(content: bytes) -> str:
    """The bytes of a PNG file.

    Raises:
        ValueError: They are not.
    """
    if not content.startswith(PNG):
        raise ValueError("a thumbnail must be PNG, but is not")
    return _uri("png", content)


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{b64encode(content).decode()}"
