"""`python select.py`: from fields without labels to the crops worth learning from."""
