"""Budgets: limits on what calls may take. `model` says what, `engine` enforces it, `store` is where it is counted."""
