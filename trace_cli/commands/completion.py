"""Print the completion script for a shell.

Examples:

  trace completion bash >~/.local/share/bash-completion/completions/trace
  trace completion zsh >~/.zfunc/_trace
  trace completion fish >~/.config/fish/completions/trace.fish
"""

import click
from click import shell_completion

from trace_cli import params


@params.command(__doc__)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    kind = shell_completion.get_completion_class(shell)
    assert kind is not None
    text = kind(ctx.find_root().command, {}, "trace", "_TRACE_COMPLETE").source_template % {
        "complete_func": "_trace_completion",
        "complete_var": "_TRACE_COMPLETE",
        "prog_name": "trace",
    }
    click.echo(text)
    return 0
