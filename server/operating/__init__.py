"""What a service needs besides its work: to be reached and left in order, probed and followed.

`ports` opens the server to the world and closes it again.
"""
