"""Tells buyers about their orders."""
