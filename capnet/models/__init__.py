"""From a batch of images to features, logits and maps."""
