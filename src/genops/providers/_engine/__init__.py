"""The mechanism behind every adapter: patching, reading, streams."""
