"""The page's one script: DataTables from the installed `itables`, and the few lines that start it."""

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from mk11.errors import UserError

OWN = Path(__file__).resolve().parent / "assets" / "tables.js"
EXPORTED = re.compile(r"export\s*\{[^}]*?([\w$]+) as default\b")


@cache
def script_source() -> str:
    """The bundle as a module, its class under the name `DataTable`, then our own lines.

    Raises:
        UserError: The installed itables holds no such bundle.
    """
    bundle = files("itables").joinpath("html", "dt_bundle.js").read_text(encoding="utf-8")
    exported = EXPORTED.search(bundle)
    if exported is None:
        raise UserError("itables must bring DataTables as in its release 2.9, but the installed one does not")
    return enclosed(f"{bundle}\n{{\nconst DataTable = {exported[1]};\n{OWN.read_text()}}}\n")


def enclosed(script: str) -> str:
    """A script that cannot end, or change the meaning of, the element it stands in."""
    script = script.replace("\r\n", "\n").replace("\r", "\n").replace("<!--", r"<\!--")
    return re.sub("</(?=script)", r"<\\/", script, flags=re.IGNORECASE)


def source_hash(script: str) -> str:
    """What a Content-Security-Policy names a script by, so that no other script can run."""
    return f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}"
