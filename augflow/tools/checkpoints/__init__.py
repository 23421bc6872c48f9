"""Weights of the papers' public code, read into our networks: one file per code base."""

from augflow.tools.checkpoints.glow2 import read_glow2
from augflow.tools.checkpoints.pix2pix import read_pix2pix

__all__ = ["read_glow2", "read_pix2pix"]
