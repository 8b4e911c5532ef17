"""Copies of files without what their properties tell: the child process of :mod:`portal.documents.stripping`.

It is run alone, imports nothing of the portal but these modules, and gives itself its limits before it looks at the
first byte: what an untrusted file does to it, it does to nobody else.
"""
