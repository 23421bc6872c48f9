"""How networks learn: one loop, and one file per family of learners."""
