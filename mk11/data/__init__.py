"""From image folders to folds of decoded cells: index, folds, leaks, cache, transforms, drawn cells."""
