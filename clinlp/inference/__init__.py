"""From notes to notes: models and rules applied in batches."""
