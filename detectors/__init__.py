"""What sentences say about each other.  Imports nothing of the other packages."""
