"""The ground: errors, seeds, files, images, the machine, processes, and checked configuration."""

__version__ = "0.1.0"
