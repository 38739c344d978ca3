"""What is asked of a model: rules over evidence."""
