"""From a decoded cell to the network's input: resize policies and augmentations."""
