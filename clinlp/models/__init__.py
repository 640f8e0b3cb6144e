"""Neural models: encoders, the CRF, the tagger and the diagnoser. They know tensors, never notes."""
