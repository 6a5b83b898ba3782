"""The audience of a warning: who lies in its area, page by page."""
