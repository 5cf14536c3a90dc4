"""`python -m apportion`: the command line."""

from apportion.cli.main import main

main()
