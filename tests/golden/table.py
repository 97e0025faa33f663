"""Print every quantity compared with the reference implementations, and its largest difference.

OMP_NUM_THREADS=1 python tests/golden/table.py > table.md
"""

import contextlib
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
NAMES = {"mae": "MAE", "convmae": "ConvMAE", "mixmim": "MixMIM", "mocov3": "MoCo v3"}


def rows(records):
    """Markdown lines, one for each quantity: the worst of its comparisons."""
    worst = {}
    for record in records:
        key = (record.method, record.array)
        worst[key] = max(record, worst.get(key, record), key=lambda compared: compared.ratio)
    yield "| method | quantity | tolerance | largest difference | share of the tolerance |"
    yield "|---|---|---|---|---|"
    for (method, array), record in worst.items():
        allowed = f"{record.tolerance:.0e}" if record.tolerance else "equal"
        yield f"| {NAMES[method]} | {array} | {allowed} | {record.difference:.1e} | {record.ratio:.2f} |"


def main():
    """Run the golden tests in this process and print what they compared."""
    sys.path.insert(0, str(TESTS))
    from golden.recipe import RECORDS

    with contextlib.redirect_stdout(sys.stderr):
        status = pytest.main(["-q", "-p", "no:cacheprovider", str(TESTS / "golden")])
    print("\n".join(rows(RECORDS)))
    sys.exit(status)


if __name__ == "__main__":
    main()
