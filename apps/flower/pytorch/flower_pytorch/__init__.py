"""flower-pytorch: Handwritten digits with PyTorch and Flower."""
