"""Metrics with their definition in their name, final (scikit-learn) and during training (torchmetrics)."""
