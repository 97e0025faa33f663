"""Look at a data set: python -m mk11.data show DATA."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mk11.errors import UserError

if TYPE_CHECKING:
    from mk11.data.cells import CellData

CONF = Path(__file__).resolve().parents[2] / "conf"


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0, or 2 for a mistake of the user's, told in one sentence."""
    parser = argparse.ArgumentParser(prog="python -m mk11.data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    told = "bars and a montage of the subtypes, as PNG and SVG"
    usage = "python -m mk11.data show DATA [KEY=VALUE ...] [options]"
    show_parser = commands.add_parser("show", help=told, description=told, usage=usage)
    show_parser.add_argument("data", metavar="DATA", help="a folder, or a name of conf/data")
    show_parser.add_argument("--out", type=Path, help="folder for the pictures (default outputs/show/DATA)")
    show_parser.add_argument("--um-per-pixel", type=float, help="um, of images whose table does not say")
    show_parser.add_argument("--examples", type=int, default=10, help="images per subtype (default 10)")
    show_parser.set_defaults(run=show)
    options, overrides = parser.parse_known_args(arguments)
    wrong = [override for override in overrides if "=" not in override or override.startswith("-")]
    if wrong:
        parser.error(f"unrecognized arguments: {' '.join(wrong)}")
    try:
        options.run(options, overrides)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def show(options: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Draw the class bar and the montage, and say where they are."""
    from mk11.data.show import class_bar, montage, save

    data = _data_set(options.data, overrides, options.um_per_pixel)
    images, classes = data.labelled().images, data.labelled().classes
    name = Path(options.data).resolve().name if data.name == "folder" else data.name
    title = f"{name}: {len(images):,} images, {len(classes)} subtypes"
    counts = images["subtype"].value_counts().reindex(list(classes))
    out = options.out or Path("outputs/show") / name
    files = save(class_bar(counts, title), out / "class_bar")
    files += save(montage(images, classes, examples=options.examples, seed=0, title=title), out / "montage")
    print("\n".join(map(str, files)))


def _data_set(data: str, overrides: Sequence[str], um_per_pixel: float | None) -> "CellData":
    """The data set of a name of conf/data, or the one in a folder."""
    from hydra import compose, initialize_config_dir
    from hydra.errors import HydraException, InstantiationException
    from hydra.utils import instantiate

    named = (CONF / "data" / f"{data}.yaml").exists()
    if not named and not Path(data).is_dir():
        raise UserError(f"DATA must be a folder or a name of {CONF / 'data'}, but is {data}")
    try:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            config = compose(overrides=[f"+data={data if named else 'folder'}", *overrides]).data
    except HydraException as error:
        raise UserError(f"KEY=VALUE must be keys of conf/data, but {error}") from error
    if not named:
        config.root = data
    if um_per_pixel is not None:
        config.um_per_pixel = um_per_pixel
    try:
        cells: CellData = instantiate(config)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise
    return cells


if __name__ == "__main__":
    raise SystemExit(main())
