"""The routes, one file a subject; each function makes the router of one server."""
