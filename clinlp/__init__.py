"""De-identify, tokenize and annotate English and Chinese medical records."""
