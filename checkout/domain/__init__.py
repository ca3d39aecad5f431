"""What is true about paying, whatever the framework: pure functions, values and tables."""
