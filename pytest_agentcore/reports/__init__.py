"""From results and figures to what people read: terminal, Markdown, HTML, junit."""
