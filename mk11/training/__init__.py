"""Supervised training of a subtype classifier."""
