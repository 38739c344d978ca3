"""Items of benchmarks whose files no table of fields describes; each function takes the folder of official files."""
