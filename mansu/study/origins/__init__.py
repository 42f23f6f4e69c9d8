"""Where the weights of a measured model come from, one file an origin."""
