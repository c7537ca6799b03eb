"""What Tandem's web applications share."""
