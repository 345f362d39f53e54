"""Published sites as their visitors see them, on an origin of their own.

doorway   which host a request is for, and which site it means; nothing else answers there
answers   what a path of a site is answered with: a page, a file, a feed, a redirect
library   sites in memory: their notes, links and settings, kept in step with what is committed
texts     the committed text of notes; press: notes rendered in helper processes
policy    which Content-Security-Policy each kind of answer has
"""
