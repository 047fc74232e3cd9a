"""Whether a data set is what it should be: its files, its people, its published counts."""
