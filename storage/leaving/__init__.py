"""What people may ask of whoever keeps their data: all of it in one archive, and all of it gone.

`export` reads everything of an account, `removal` removes it. Both find the tables of adapters by
the names of their columns: a row with the account in `account`, `owner`, `creator` or `payer` is
its own, one with it in `author` is of a thing that may be somebody else's.
"""
