"""What follows a flip: caches are purged, and some pages are looked at as visitors see them."""
