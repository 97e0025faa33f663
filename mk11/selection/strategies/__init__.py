"""Ways to choose crops worth learning from: ActiveSSF and its rivals, under one interface."""
