"""One file per adapter; `_engine` is the mechanism they share."""
