"""Tools for people who change the project."""
