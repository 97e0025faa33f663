"""Encoders and classifiers, and the weights they start from."""
