"""Measurements of speed and memory; nothing here is part of the library."""
