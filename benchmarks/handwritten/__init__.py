"""The models of examples/, written by hand for Flax NNX, as measuring sticks for converted code."""
