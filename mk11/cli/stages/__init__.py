"""Stages in their order: what a run begins from is made first, by its own script, if it is not there."""
