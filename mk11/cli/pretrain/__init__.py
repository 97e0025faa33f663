"""`python pretrain.py`: pre-train an encoder for one fold."""
