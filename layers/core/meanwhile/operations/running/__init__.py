"""How workers and the sweeper bring every accepted response to its end."""
