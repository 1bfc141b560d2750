"""The book's figures, one module a topic: each function takes data and returns a Figure that knows its alt text."""
