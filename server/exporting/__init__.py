"""A document to take along: Markdown as HTML for browsers, and as a PDF. Pure, no wait in it.

`trees` reads Markdown, `html` and `paper` write what it says. What a document says is never
trusted: HTML passes a list of what is allowed, a PDF is set from data that is never source.
"""
