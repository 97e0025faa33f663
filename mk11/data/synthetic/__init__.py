"""Drawn cells and smear fields: a toy with a known answer, for development without data."""
