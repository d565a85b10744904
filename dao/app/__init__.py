"""Training apps: their content, and the processes in which they train and evaluate. Imports nothing: workers start fast."""
