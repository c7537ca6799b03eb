"""Takes orders from their placing to the parcel."""
