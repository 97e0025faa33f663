"""Two configurations or runs side by side, at the terminal."""

METRIC = "f1_macro"  # where the runs declare none
