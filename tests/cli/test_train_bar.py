"""What a run shows on a terminal: a bar below the table, and nothing of it elsewhere."""

from __future__ import annotations

import io

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import TextColumn, TimeRemainingColumn

from clinlp.cli.train import Teller, teller
from clinlp.training.task import Epoch, Progress, Watcher


def test_the_bar_shows_loss_score_and_time_left():
    screen = Console(file=io.StringIO(), force_terminal=True, width=100)
    text = TextColumn("epoch {task.fields[epoch]} loss {task.fields[loss]:.4f} score {task.fields[score]}")
    with Bar(text, TimeRemainingColumn(), console=screen, refresh_per_second=100) as bar:
        tell = Teller(bar)
        tell.watch(Progress(0.25, 1, 0.5, None))
        bar.refresh()
        tell.watch(Progress(0.5, 2, 0.25, 0.8125))
        bar.refresh()
    shown = screen.file.getvalue()
    assert "epoch 1 loss 0.5000 score -" in shown
    assert "epoch 2 loss 0.2500 score 81.25" in shown


def test_the_next_of_several_runs_starts_the_bar_anew():
    with Bar(console=Console(file=io.StringIO())) as bar:
        tell = Teller(bar)
        for done in (0.5, 1.0, 0.25):
            tell.watch(Progress(done, 1, 0.1, None))
        assert [task.completed for task in bar.tasks] == [0.25]


def test_what_is_no_terminal_gets_plain_rows(capsys):
    with teller() as tell:
        assert isinstance(tell, Watcher)
        tell.watch(Progress(0.5, 1, 0.1, None))
        tell("dev: no span of a label that is learned")
        tell(Epoch(1, 0.5, {"score": 0.5, "f1": 0.5}, 1.0, 1000.0, 0.1, 100.0, True))
    said = capsys.readouterr()
    assert said.err == "clinlp: dev: no span of a label that is learned\n"
    assert [line.split() for line in said.out.splitlines()] == [
        ["epoch", "loss", "f1", "seconds", "pieces/s"],
        ["1", "0.5000", "50.00", "1.0", "1,000", "best"],
    ]
