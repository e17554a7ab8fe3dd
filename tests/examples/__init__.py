"""The examples and the pages of the adapters, run against replayed traffic."""
