"""Attacks on an unlearned model: what brings back what was forgotten."""
