"""`scripts/admin` (`plait admin` where Plait was installed as a package): what an operator does.

Works on the database of the settings, whether the server runs or not; a running server takes a
change in within two seconds. Each module holds the words of one matter: `add` declares them,
`run` does what they say.
"""
