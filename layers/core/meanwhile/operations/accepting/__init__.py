"""What comes before a response: its request is resolved, counted, and accepted once."""
