"""Data files generated from spec/; no code."""
