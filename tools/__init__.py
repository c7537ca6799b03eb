"""Small programs of the Makefile."""
