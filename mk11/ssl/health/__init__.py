"""Whether pre-training learns anything: probes, spread of the features, pictures, an alarm."""
