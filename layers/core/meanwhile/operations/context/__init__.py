"""What a model is shown: what is chosen of a thread, fits the model's window, or is compacted to fit."""
