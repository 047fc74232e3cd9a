"""The painter of the drawn data set: people, places and cameras, with NumPy and Pillow alone."""
