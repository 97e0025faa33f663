"""ActiveSSF (arXiv 2502.08200): from unlabelled fields to the crops worth learning from."""
