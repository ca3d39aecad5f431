"""What can be done: one module per noun, one function per verb; the only layer that commits."""
