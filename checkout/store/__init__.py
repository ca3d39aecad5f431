"""What is stored, and the one way to change a status."""
