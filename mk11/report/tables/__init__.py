"""Tables of a report in Markdown, LaTeX and CSV."""
