"""A W&B sweep file searched without W&B's server, by Optuna: the same parameters, command and objective."""
