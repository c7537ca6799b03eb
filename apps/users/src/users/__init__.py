"""The shop's accounts: registration, login and tokens."""
