"""Where a synthetic photograph comes from: its set, generator, scores, selections, and recipe."""
