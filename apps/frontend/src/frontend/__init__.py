"""The shop as people use it: pages, and the JSON that helps them."""
