"""What the Python programs have in common: a command a line comes in, an object a line goes out."""

import json
import sys


def obey(commands, failure):
    """Carries out commands until there are none; `failure` makes an object of what they raise."""
    for line in sys.stdin:
        try:
            told = {"ok": commands[line.strip()]()}
        except Exception as error:
            told = failure(error)
        print(json.dumps(told), flush=True)
