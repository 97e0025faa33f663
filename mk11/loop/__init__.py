"""What every training loop shares, supervised or not: trainer, reseeding, history, progress, checkpoints."""
