"""`python -m kubectl_podtrace`."""

from kubectl_podtrace.cli.main import entry_point

if __name__ == "__main__":
    entry_point()
