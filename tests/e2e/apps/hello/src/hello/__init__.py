"""The smallest service: greets, and counts the greetings where it has a database."""
