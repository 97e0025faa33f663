"""How well regions fit the cells that people have marked."""
