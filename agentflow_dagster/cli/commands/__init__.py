"""One command a file; each has a click command called `command`."""
