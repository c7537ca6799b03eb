"""What the applications' tests share."""
