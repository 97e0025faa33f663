"""Where the matrix stands, at the terminal."""
