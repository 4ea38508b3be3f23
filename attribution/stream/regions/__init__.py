"""Several regions that ask each other about flows between them."""
