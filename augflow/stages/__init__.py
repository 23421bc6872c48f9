"""The stages of a study: files in, files out, one stage a file."""
