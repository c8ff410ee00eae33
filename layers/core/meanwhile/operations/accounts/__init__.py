"""Who may ask: API keys, and owners who leave with all that is theirs."""
