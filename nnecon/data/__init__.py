"""Data: formulas, designs, samples, scaling and data sets."""
