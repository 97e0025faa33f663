"""Run identity, run folder, lock and status."""
