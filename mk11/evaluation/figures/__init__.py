"""Figures of a run as SVG: the same numbers give the same bytes, and a file is whole or absent."""

from mk11.evaluation.figures.confusion import confusion_matrix
from mk11.evaluation.figures.learning import learning_curves
from mk11.evaluation.figures.pretraining import pretraining_curves
from mk11.evaluation.figures.ranking import precision_recall

__all__ = ["confusion_matrix", "learning_curves", "precision_recall", "pretraining_curves"]
