"""What tests of several rooms share; `pythonpath` in pyproject.toml makes it importable as `helpers`."""
