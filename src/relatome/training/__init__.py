"""Training: settings, what is read (mixture), the order it is read in (stream), and the loop."""
