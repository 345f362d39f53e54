"""Sites that follow a repository: the GitHub App, and what is done when somebody pushes."""
