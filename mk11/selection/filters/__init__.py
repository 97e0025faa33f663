"""Stage 1 of ActiveSSF: regions of a smear field that look like cells (arXiv 2502.08200, sec. 3, CRF)."""
