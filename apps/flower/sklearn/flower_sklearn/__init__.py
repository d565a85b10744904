"""flower-sklearn: Tumours with scikit-learn and Flower."""
