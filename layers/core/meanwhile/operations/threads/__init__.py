"""What can be done with threads: conversations, their items, and what a response continues and joins."""
