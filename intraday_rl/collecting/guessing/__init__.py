"""What a file does not say about its bars, found from the bars themselves; shown, never assumed."""
