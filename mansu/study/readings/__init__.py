"""What the numbers say, in words decided by the numbers alone."""
