"""See ../../README.md for the rooms."""
