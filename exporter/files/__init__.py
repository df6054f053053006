"""Files of the user and of the shop: read with care, and read again when they change."""
