"""Tables as Markdown and as LaTeX with booktabs."""

from collections.abc import Sequence

from mk11.report.tables.escape import latex, markdown
from mk11.report.tables.table import Cell, Part, Table

WIDE = 8  # columns beyond which LaTeX scales a table to the width of the text
PACKAGES = "booktabs, graphicx"


def as_markdown(tables: Sequence[Table]) -> str:
    """Tables below each other, each under its title with its notes."""
    return "\n".join(_markdown(table) for table in tables)


def as_latex(tables: Sequence[Table]) -> str:
    """Floating tables, for a document that uses the packages `PACKAGES`."""
    told = [_latex(table, number) for number, table in enumerate(tables)]
    return f"% needs the packages {PACKAGES}\n" + "\n".join(told)


def _markdown(table: Table) -> str:
    marks = [":--" if place < table.left else "--:" for place in range(len(table.columns))]
    lines = [f"### {markdown(table.title)}", "", _pipes(map(markdown, table.columns)), _pipes(marks)]
    for part in table.parts:
        if part.title is not None:
            lines.append(_pipes([f"*{markdown(part.title)}*", *[""] * (len(table.columns) - 1)]))
        lines += [_pipes(map(_markdown_cell, row)) for row in part.rows]
    return "\n".join([*lines, "", *(f"- {markdown(note)}" for note in table.notes), ""])


def _pipes(cells: Sequence[str] | map) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(cell: Cell) -> str:
    told = markdown(cell.text)
    told = f"**{told}**" if cell.bold and told else told
    return told + (f"<sup>{markdown(','.join(cell.raised))}</sup>" if cell.raised else "")


def _latex(table: Table, number: int) -> str:
    columns = "l" * table.left + "r" * (len(table.columns) - table.left)
    opening, closing = ("\\resizebox{\\textwidth}{!}{%", "}") if len(columns) > WIDE else ("\\small", "")
    label = f"tab:{table.name}" + (f"-{number + 1}" if number else "")
    notes = [f"\\par\\smallskip{{\\footnotesize {latex(note)}\\par}}" for note in table.notes]
    body = [line for place, part in enumerate(table.parts) for line in _latex_part(part, len(columns), place)]
    return "\n".join(
        [
            "\\begin{table}",
            "\\centering",
            f"\\caption{{{latex(table.title)}}}",
            f"\\label{{{label}}}",
            opening,
            f"\\begin{{tabular}}{{@{{}}{columns}@{{}}}}",
            "\\toprule",
            _ampersands([latex(column) for column in table.columns]),
            "\\midrule",
            *body,
            "\\bottomrule",
            f"\\end{{tabular}}{closing}",
            *notes,
            "\\end{table}",
            "",
        ]
    )


def _latex_part(part: Part, columns: int, place: int) -> list[str]:
    rows = [_latex_row(row) for row in part.rows]
    rule = ["\\midrule"] if place else []
    if part.title is None:
        return [*rule, *rows]
    title = f"\\multicolumn{{{columns}}}{{@{{}}l@{{}}}}{{\\emph{{{latex(part.title)}}}}} \\\\"
    return [*rule, title, *rows]


def _latex_row(row: Sequence[Cell]) -> str:
    """With a comment that tells `--check` what its numbers are of, wherever the row is copied to."""
    told = _ampersands([_latex_cell(cell) for cell in row])
    return f"{told} % mk11: {row[0].key}" if row[0].key else told


def _ampersands(cells: Sequence[str]) -> str:
    # Braces, as a row that begins with [ or * would be read as an option of the row break before it.
    first = f"{{{cells[0]}}}" if cells[0].startswith(("[", "*")) else cells[0]
    return " & ".join([first, *cells[1:]]) + " \\\\"


def _latex_cell(cell: Cell) -> str:
    told = latex(cell.text)
    told = f"\\textbf{{{told}}}" if cell.bold and told else told
    return told + (f"\\textsuperscript{{{latex(','.join(cell.raised))}}}" if cell.raised else "")
