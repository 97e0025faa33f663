import pytest

from mk11.report.literals import literals


def found(source):
    return [(one.line, one.mean, one.sd) for one in literals(source)]


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ("an accuracy of 79.23\\% and a PR-AUC of 0.453.", [(1, "79.23", None), (1, "0.453", None)]),
        ("$79.23 \\pm 0.79$", [(1, "79.23", "0.79")]),
        ("79.23$\\pm$0.79 & 78.92\\,$\\pm$\\,0.90 \\\\", [(1, "79.23", "0.79"), (1, "78.92", "0.90")]),
        ("$79.23_{\\pm 0.79}$", [(1, "79.23", "0.79")]),
        ("79.23\\% $\\pm$ 0.79\\%", [(1, "79.23", "0.79")]),
        ("79.2 ± 0.8 and 79 +- 1", [(1, "79.2", "0.8"), (1, "79", "1")]),
        ("\\textbf{79.23 \\ensuremath{\\pm} 0.79}", [(1, "79.23", "0.79")]),
        ("first\nsecond 0.81\n\nfourth .82", [(2, "0.81", None), (4, ".82", None)]),
        ("[0.71, 0.75], 0.72--0.76", [(1, n, None) for n in ("0.71", "0.75", "0.72", "0.76")]),
        ("79.2/78.1", [(1, "79.2", None), (1, "78.1", None)]),
        ("\\newcommand{\\best}{81.10}", [(1, "81.10", None)]),
        ("\\resizebox{\\textwidth}{!}{79.23}", [(1, "79.23", None)]),
        ("79\\%, 80\\,\\%, $81\\%$, $82$~\\%, 83 per cent", 
         [(1, str(n), None) for n in range(79, 84)]),
        ("\\textcolor{red}{79.23}", [(1, "79.23", None)]),
        ("macro F1 was 61.30 in fold 0, 60.1~in fold 1", [(1, "61.30", None), (1, "60.1", None)]),
        ("p = 0.03, 50\\% of 0.4", [(1, "0.03", None), (1, "50", None), (1, "0.4", None)]),
    ],
)  # fmt: skip
def test_results_are_found_with_their_lines(source, numbers):
    assert found(source) == numbers


@pytest.mark.parametrize(
    "source",
    [
        "in 2025, 7204 images of 70 patients, five folds",
        "% a comment with 79.23",
        "text \\% of % 12.5",
        "79.23 % mk11: ignore",
        "\\includegraphics[width=0.45\\linewidth]{a0.5.pdf} \\vspace{0.3cm} \\hspace*{1.5em}",
        "the 95\\% interval, 97.5\\,\\% confidence, a 90\\% bootstrap interval, 95\\%~CI, power 0.8",
        "\\ref{tab:1.2} \\cite[p.~3.4]{who2.5} \\label{eq:0.1} \\cref{s1.1}",
        "\\begin{tabular}{p{0.3\\textwidth}r} \\\\[0.5ex]",
        "\\setlength{\\tabcolsep}{2.5pt} \\resizebox{0.9\\textwidth}{!}{x} \\scalebox{0.8}{x}",
        "\\renewcommand{\\arraystretch}{1.2} \\definecolor{c}{rgb}{0.1,0.2,0.3} \\fontsize{9.5}{11.5}",
        "PyTorch 2.15.0 on 12.03.2025, v2.6, Section 3.2, Fig.~2.1",
        "arXiv 2502.08200 and 10.6084/m9.figshare.29264819",
        "lr 1.5e-4, $1.5 \\times 10^{-4}$, ViT-B/16, F1",
        "\\begin{verbatim}\n79.23\n\\end{verbatim}",
        "\\documentclass[11.5pt]{article} \\usepackage[margin=2.5cm]{geometry}",
        "\\parbox[t]{1.5in}{x} a field 1.5\\,in wide",
    ],
)
def test_what_claims_no_result_is_not_counted(source):
    assert found(source) == []


def test_lines_after_a_listing_keep_their_numbers():
    assert found("\\begin{lstlisting}\n1.5\n\\end{lstlisting}\n0.81") == [(4, "0.81", None)]


@pytest.mark.parametrize(
    ("source", "negative"),
    [("$-1.23$", True), ("a change of -1.23", True), ("\\ensuremath{-}1.23", True), ("+1.23", False),
     ("0.50--1.23", False), ("ResNet-1.23", False)],
)  # fmt: skip
def test_a_minus_sign_is_told_from_a_hyphen(source, negative):
    assert [one.negative for one in literals(source)][-1] == negative


@pytest.mark.parametrize(
    ("source", "names"),
    [("79.2 % mk11: 1a2b3c4d", ("1a2b3c4d",)), 
     ("79.2 \\\\ % mk11: \\mkNumA, 1a less 2b", ("mkNumA", "1a less 2b")),
     ("79.2\\% of them", ()), ("\\newcommand{\\mkNumA}{79.2}", ("mkNumA",)), ("% mk11: a\n79.2", ())],
)  # fmt: skip
def test_a_line_names_what_its_numbers_are_of(source, names):
    assert [one.names for one in literals(source)] == [names]
