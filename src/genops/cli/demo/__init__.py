"""The demo: a small application of several teams, governed, against replayed provider traffic."""
