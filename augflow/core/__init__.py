"""The ground: errors, seeds, files, images, the machine, processes, and checked configuration."""
