"""What a slug is: for files of a pack and for the rules of the tables alike."""

SLUG = "[a-z0-9]+(?:-[a-z0-9]+)*"
"""A regular expression without ends, of the kind that Python and PostgreSQL read alike."""
SLUG_LENGTH = 100
