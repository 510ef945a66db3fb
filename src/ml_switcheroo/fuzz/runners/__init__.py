"""One module a framework: makes its arrays, calls functions and modules, takes gradients."""
