"""What is measured: multiple choice, perplexity, divergence, and how sure we are."""
