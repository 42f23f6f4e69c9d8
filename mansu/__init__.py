"""Quantization-permanent unlearning through circuit attribution."""
