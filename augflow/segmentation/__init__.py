"""Segmentation networks of mmsegmentation: the only place that imports mmseg and mmengine."""
