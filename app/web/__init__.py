"""The HTTP edge that every domain's `api.py` shares: what comes in, what goes out, what fails."""
