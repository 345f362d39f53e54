"""Single documents as an operator sees them: what each costs, what is in its log, who is in it.

`breaker` closes documents that cost too much, `inspector` gathers what is known of one, `routes`
tell administrators. The breaker knows no route, and the rooms know of the breaker alone.
"""
