"""Content between its stores and its users: a store assembled from settings, and model files as tensors on the disk."""
