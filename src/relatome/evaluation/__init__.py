"""How each task is scored on a corpus: what `relatome.evaluate` asks, one file a task."""
