"""Upload runs that were trained without a network to Weights & Biases, from their own files."""
