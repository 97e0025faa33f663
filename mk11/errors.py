"""What a user can put right: errors that name the key or file, the rule and the value."""


class UserError(ValueError):
    """A mistake in the configuration, the data or a file, told in one sentence.

    The scripts print the sentence without a traceback and end with status 2.
    """
