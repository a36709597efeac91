"""What the tables say: amounts for a person to read, and what an asset check looks at."""
