"""Phases 2 and 3: objectives, the Fisher mask, training, and the floor."""
