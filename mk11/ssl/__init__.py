"""Self-supervised methods: MAE, ConvMAE, MoCo v3, MixMIM, each in one file on shared pieces."""
