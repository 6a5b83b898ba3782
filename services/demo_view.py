"""What a person sees of the demo: progress while it runs, then coverage by group and channel and a few paths in words."""

from __future__ import annotations

from importlib.resources import files
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

if TYPE_CHECKING:
    from services.demo import DemoResult


def example_alert() -> bytes:
    """A flash flood warning of our own making for a county that does not exist."""
    return (files("services") / "example_alert.xml").read_bytes()


class View:
    """A context manager around the running demo."""

    def __init__(self, title: str, people: int) -> None:
        self._console = Console()
        self._console.print(f"[bold]Tocsin demo[/bold]: {title}; {people:,} fictional people.")
        self._console.print(
            "Simulated phones and officers act on the real services; one process, one SQLite file, no network."
        )
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
            console=self._console,
        )  # fmt: skip
        self._targeted = self._progress.add_task("targeted ", total=people)
        self._delivered = self._progress.add_task("delivered", total=people)
        self._reached = self._progress.add_task("reached  ", total=people)
        self._done = self._progress.add_task("explained", total=people)

    def __enter__(self) -> View:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, elapsed: float, figures: dict[str, Any]) -> None:
        """Called while it runs; `elapsed` is warning time since the alert was sent."""
        total = max(figures["targeted"], figures["announced"] or 0, 1)
        for task, n in (
            (self._targeted, figures["targeted"]), (self._delivered, figures["delivered"]),
            (self._reached, figures["reached"]), (self._done, figures["targeted"] - figures["open"]),
        ):  # fmt: skip
            self._progress.update(task, completed=n, total=total)
        hours, minutes = divmod(int(elapsed // 60), 60)
        self._progress.update(self._done, description=f"ended, {hours}:{minutes:02d} after sending")

    def summary(self, result: DemoResult) -> None:
        """Tables and paths at the end."""
        f, d = result.figures, result.details
        self._console.print(
            f"\nTier [bold]{d['tier']}[/bold], hazard {d['hazard'].replace('_', ' ')}, doors {d['doors']}."
        )
        for table in coverage_tables(f):
            self._console.print(table)
        ends = ", ".join(f"{name.replace('_', ' ')} {n}" for name, n in f["explained_not_closed"].items())
        self._console.print(
            f"targeted {f['targeted']} = closed {f['closed']} + explained, not closed {sum(f['explained_not_closed'].values())}"
            f" ({ends or 'none'}) + open {f['open']}; unexplained [bold]{f['unexplained']}[/bold]"
        )
        self._console.print(
            f"provider accepted {f['provider_accepts']} messages and calls, ambiguous {f['ambiguous']}, doubled {f['doubled']}"
        )
        for path in result.paths:
            self._console.print(
                f"\n[bold]{', '.join(path['groups']).replace('_', ' ')}[/bold] ({path['person_id'][:8]})"
            )
            for line in path["lines"]:
                self._console.print(f"  {line}", highlight=False)
        self._console.print("\nA model of people, not a forecast. Send a real warning: see README, `make run`.")


def coverage_tables(figures: dict[str, Any]) -> list[Table]:
    """By group and by channel, as tables for a terminal."""
    groups = Table("group", title="Coverage by group (groups overlap)", title_justify="left")
    for name in ("people", "delivered", "reached", "closed", "coverage"):
        groups.add_column(name, justify="right")
    for name, g in sorted(figures["by_group"].items(), key=lambda item: item[1]["coverage"]):
        share = f"{100 * g['coverage']:.0f} %" if g["people"] >= 30 else f"{g['reached']} of {g['people']}"
        groups.add_row(
            name.replace("_", " "), str(g["people"]), str(g["delivered"]), str(g["reached"]), str(g["closed"]), share
        )
    channels = Table("channel", title="By channel (messages, calls, visits)", title_justify="left")
    columns = ("planned", "accepted", "delivered", "heard", "answered", "failed")
    for name in columns:
        channels.add_column(name, justify="right")
    for name, r in sorted(figures["by_channel"].items()):
        channels.add_row(name.replace("_", " "), *(str(r[c]) for c in columns))
    return [groups, channels]


def channel_table(stand: list[dict[str, Any]]) -> Table:
    """What /channels/state says, a line a channel and provider."""
    table = Table("channel", "in use", "carried by", "stands", "last test", title="Channels", title_justify="left")
    for one in stand:
        used = "yes" if one["working"] else f"NO: {one['why'].replace('_', ' ')}"
        for n, p in enumerate(
            one["providers"] or [{"provider": "", "why": "", "stands": "", "test": "", "test_failures": 0}]
        ):
            why = p["why"].replace("_", " ")
            failed = f", {p['test_failures']} failed running" if p["test_failures"] else ""
            table.add_row(
                one["channel"] if n == 0 else "", used if n == 0 else "", p["provider"],
                "TAKES NOTHING" if p.get("alarm") else f"not used: {why}" if why else p["stands"], p["test"] + failed,
            )  # fmt: skip
    return table
