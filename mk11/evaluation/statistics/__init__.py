"""Honest statistics over the folds and seeds of cross-validation."""
