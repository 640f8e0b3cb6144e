"""Fine-tuning: one Accelerate loop for every model."""
