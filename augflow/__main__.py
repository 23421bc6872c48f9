"""`python -m augflow`, as launchers of several processes start it: the command line."""

from augflow.cli import main

if __name__ == "__main__":
    main()
