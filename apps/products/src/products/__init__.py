"""The shop's catalogue and its stock."""
