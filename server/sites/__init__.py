"""Published sites: what there is (`catalogue`, `listing`), how it changes, how it is shown."""
