"""Is a tumour malignant? A Flower app."""
