"""What attacks that fine-tune have in common: what they teach, how, and what it brought back."""
