"""From templates to one HTML file. Whatever comes from files is text on the page, never markup."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mk11.files import replacing
from mk11.page.pictures import png_uri, svg_uri
from mk11.page.script import script_source, source_hash

HERE = Path(__file__).resolve().parent
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


def make_environment(*folders: Path) -> Environment:
    """Templates in `folders` and the shared `base.html` and `macros.html`; all that they print is escaped."""
    environment = Environment(
        loader=FileSystemLoader([*folders, HERE / "templates"]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(svg_uri=svg_uri, png_uri=png_uri)
    return environment


def write_page(path: Path, template: str, environment: Environment, **content: Any) -> None:  # noqa: ANN401
    """Fill in a template that extends `base.html` and write it, whole or not at all."""
    source = script_source()
    text = environment.get_template(template).render(
        **content, style=Markup(_style()), script=Markup(source), script_hash=source_hash(source)
    )
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def printable(value: Any) -> Any:  # noqa: ANN401
    """Text that UTF-8 and HTML can hold: control characters and halves of a surrogate pair are replaced."""
    return UNPRINTABLE.sub("\ufffd", value) if type(value) is str else value


@cache
def _style() -> str:
    return (HERE / "assets" / "page.css").read_text()
