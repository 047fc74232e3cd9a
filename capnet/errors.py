"""The errors that are the user's to mend."""


class UserError(Exception):
    """Something the user can mend: the message names the key or file, and the remedy."""

    exit_code = 1
