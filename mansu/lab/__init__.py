"""What a notebook shows, and what runs many of them.

Nothing is re-exported here: a sweep that finds everything up to date should not load a model
library to say so.
"""
