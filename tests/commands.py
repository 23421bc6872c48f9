"""The command line, run in the process of the tests."""

from typer.testing import CliRunner

from augflow.cli import app


def run(*words, **options):
    return CliRunner().invoke(app, [str(word) for word in words], **options)


def refused(*words):
    """The one line of a run that was refused."""
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    [line] = result.stderr.splitlines()
    return line
