"""flower-numpy: Irises with NumPy and Flower's NumPyClient."""
