"""What Pinakes keeps: libraries of files, their devices, and uploads that are to become files.

A library is rows and not a document: its files do not merge, a report is judged against what is
there and written in one transaction, and a page of the feed costs the same however many files there
are. Its scope holds the documents that its texts become when somebody opens one in an editor.
"""

KIND = "pinakes"
"""Of scopes, uploads and uses of blobs."""
