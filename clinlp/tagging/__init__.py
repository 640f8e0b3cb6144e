"""From spans to tags and back: the BIOES scheme and the windows in which a model reads a note."""
