"""Synthetic records that this project wrote, and the generator that makes them; not part of the package."""
