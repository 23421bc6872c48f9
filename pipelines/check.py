"""Stage check."""

from augflow.cli.stage import run_script

if __name__ == "__main__":
    run_script("check")
