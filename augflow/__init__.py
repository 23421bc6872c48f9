"""augflow: label maps in, labelled photographs out, and evidence of whether they help."""

__version__ = "0.1.0"
