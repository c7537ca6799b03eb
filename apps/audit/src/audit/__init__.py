"""What happened in the shop: events, kept for administrators."""
