"""Browsers that are logged in: the cookie that stands for a login, and the routes that give it."""
