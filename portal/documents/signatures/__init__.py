"""Detached signature files: CMS with RSA, ECDSA and GOST R 34.10-2012, checked but never made."""
