"""Invertible transforms, the multi-scale Glow, densities and bits per dimension."""
