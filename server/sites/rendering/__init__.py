"""Notes as pages. Pure: text and facts come in, HTML goes out; no socket, no clock, no database.

`note` makes HTML of one note's text alone, `vault` knows which file a link means, `page` puts both
together with what surrounds them. What a note says is never trusted (`sanitising`).
"""
