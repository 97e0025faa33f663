"""Two configurations or runs side by side, at the terminal."""
