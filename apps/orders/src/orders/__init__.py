"""The shop's carts and orders."""
