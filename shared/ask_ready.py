"""`python -m shared.ask_ready URL`: whether a gateway is ready, with what it says where it is not; `helm test` runs it."""

import sys
import urllib.error
import urllib.request

SECONDS = 10.0


def main(arguments: list[str]) -> int:
    """0 where the URL answers with success. Raises nothing: a gateway that is away is an answer too."""
    if len(arguments) != 1 or not arguments[0].startswith(("http://", "https://")):
        print("Usage: python -m shared.ask_ready http://HOST/readyz", file=sys.stderr)
        return 2
    try:
        with urllib.request.urlopen(arguments[0], timeout=SECONDS) as answer:  # noqa: S310 - http alone, checked above
            print(answer.read(2_000).decode(errors="replace"))
            return 0
    except urllib.error.HTTPError as error:
        print(f"Not ready: {error.code} {error.read(2_000).decode(errors='replace')}", file=sys.stderr)
    except OSError as error:
        print(f"Not reached: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
