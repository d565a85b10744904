"""The content of a task as files: tensors mapped from disk."""
