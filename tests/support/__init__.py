"""What the end-to-end tests, the faults and the benches share."""
