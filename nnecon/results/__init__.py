"""What estimation found: immutable results that orchestrate inference and report."""
