"""From a trained network to predictions, metrics and figures."""
