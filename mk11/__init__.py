"""Experiments in classifying megakaryocyte subtypes in stained bone-marrow images."""

__version__ = "0.1.0"
