"""An app that is nothing but its files for browsers."""
