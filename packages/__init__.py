"""Builds the Debian packages that Debian 13 lacks into a signed local repository: `make packages`."""
