"""Class tables, scenes, label maps, and the data sets that they are read from."""
