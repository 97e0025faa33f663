"""Many runs from one command: cells of a matrix, each in a process of its own, recorded as they end."""
