"""Where prompts come from: files, classes, named suites."""
