"""Notes as pages for people: one self-contained HTML file."""
