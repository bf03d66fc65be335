"""The neural network: encoder, heads, checkpoints. Torch starts here; nothing below imports it."""
