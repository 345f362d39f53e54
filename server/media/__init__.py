"""Pictures and facts of files: made in sealed helper processes, each once, kept as blobs.

    kinds      what bytes are, by their content and never by their name
    work       what a helper is asked and answers
    child      a helper: its loop; `sealing` takes files and network from it before the first job
    pictures, heic, films, papers    in the helper: images, HEIC, videos, PDFs and texts
    facts, exif                      in the helper: width, height, duration, camera, position
    workshop   the server's side: helpers started, given work, killed when they do not behave

Nothing a file holds is decoded in the server's own process.
"""
