"""What do people see? Routes over HTTP, for programs and for the page."""
