"""Parameter groups with layer-wise learning rates, and the learning-rate schedule."""
