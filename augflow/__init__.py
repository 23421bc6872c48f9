"""augflow: label maps in, labelled photographs out, and evidence of whether training on them helps."""

__version__ = "0.1.0"
