"""What is wrong with annotated notes, found before a model is trained on them; reads streams, keeps little."""
