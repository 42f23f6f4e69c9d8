"""Results on disk: what a stage computed, read again as long as nothing it depends on changed."""
