"""Where bars come from: download, import, inspect."""
