"""From notes to what models read: pieces, windows, batches and splits."""
