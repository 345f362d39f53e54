"""The live core: documents, rooms and the sync protocols, without sockets, clocks or databases.

Everything here is told what happened and answers with what must be done; time and randomness are
arguments. Import the modules themselves: this file stays empty so that each import says where a
name lives.
"""
