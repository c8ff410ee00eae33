"""What can be done with one response that was accepted: look, wait, follow, cancel, delete, end it."""
