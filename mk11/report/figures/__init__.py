"""Figures over folds and configurations, as SVG for the page and PDF for print."""

from mk11.report.figures.write import write_figures

__all__ = ["write_figures"]
