"""Runs a study: the grid of its YAML file, its notebooks, Snakemake, and what it says meanwhile."""
