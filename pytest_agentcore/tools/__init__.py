"""Tools of an agent: their contract, the four that are built in, and the toolbox around them."""
