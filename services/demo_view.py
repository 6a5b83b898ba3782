"""Shows a demo to a person: progress while it runs, then coverage by group and channel, and paths in words."""

from __future__ import annotations

from importlib.resources import files
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from services.shared import labels
from services.shared.i18n import listed, t, tc, told

if TYPE_CHECKING:
    from services.channels.pages.channels import ChannelState, ProviderState
    from services.demo_result import ByGroupAndChannel, DemoProgress, DemoResult
    from services.router.report.before_impact import ImpactFigures


NOBODY: ProviderState = {
    "provider": "", "why": "", "stands": "", "alarm": "", "test": "", "test_ok_at": None, "test_failures": 0,
}  # fmt: skip


def example_alert() -> bytes:
    """A flash flood warning of our own making for a county that does not exist."""
    return (files("services") / "example_alert.xml").read_bytes()


class View:
    """A context manager around the running demo."""

    def __init__(self, title: str, people: int) -> None:
        self._console = Console()
        self._console.print(
            t("[bold]Tocsin demo[/bold]: {title}; {people:,} fictional people.", title=title, people=people)
        )
        self._console.print(
            t("Simulated phones and officers act on the real services; one process, one SQLite file, no network.")
        )
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,.0f} / {task.total:,.0f}"),
            console=self._console,
        )  # fmt: skip
        self._targeted = self._progress.add_task(t("targeted"), total=people)
        self._delivered = self._progress.add_task(t("delivered"), total=people)
        self._reached = self._progress.add_task(t("reached"), total=people)
        self._done = self._progress.add_task(t("explained"), total=people)

    def __enter__(self) -> View:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, elapsed: float, progress: DemoProgress) -> None:
        """Called while it runs; `elapsed` is warning time since the alert was sent."""
        total = max(progress.targeted, progress.announced, 1)
        for task, n in (
            (self._targeted, progress.targeted), (self._delivered, progress.delivered),
            (self._reached, progress.reached), (self._done, progress.targeted - progress.open),
        ):  # fmt: skip
            self._progress.update(task, completed=n, total=total)
        hours, minutes = divmod(int(elapsed // 60), 60)
        self._progress.update(
            self._done, description=t("ended, {hours}:{minutes:02d} after sending", hours=hours, minutes=minutes)
        )

    def summary(self, result: DemoResult) -> None:
        """Tables and paths at the end."""
        f, d = result.figures, result.details
        self._console.print(
            t(
                "\nTier [bold]{tier}[/bold], hazard {hazard}, doors {doors}.",
                tier=labels.say(labels.TIERS, d.tier),
                hazard=labels.hazard(d.hazard),
                doors=d.doors,
            )
        )
        self._before_impact(result)
        for table in coverage_tables(f):
            self._console.print(table)
        if f["unregistered"]:
            said = t(
                "{n} people live there and are in no register: nobody knows what they heard. The coverage above is that of the "
                "registered.",
                n=f["unregistered"],
            )
            self._console.print(said)
        ends = listed(f"{labels.say(labels.ENDED_AS, name)} {n}" for name, n in f["explained_not_closed"].items())
        self._console.print(
            t(
                "targeted {targeted} = closed {closed} + explained, not closed {explained} ({ends}) + open {open}; unexplained "
                "[bold]{unexplained}[/bold]",
                targeted=f["targeted"], closed=f["closed"], explained=sum(f["explained_not_closed"].values()),
                ends=ends or t("none"), open=f["open"], unexplained=f["unexplained"],
            )
        )  # fmt: skip
        self._console.print(
            t(
                "provider accepted {accepted} messages and calls, ambiguous {ambiguous}, doubled {doubled}",
                accepted=f["provider_accepts"], ambiguous=f["ambiguous"], doubled=f["doubled"],
            )
        )  # fmt: skip
        for path in result.paths:
            self._console.print(f"\n[bold]{labels.all_of(labels.GROUPS, path.groups)}[/bold] ({path.person_id[:8]})")
            for line in path.lines:
                self._console.print(f"  {line}", highlight=False)
        self._console.print(t("\nA model of people, not a forecast. Send a real warning: see README, `make run`."))

    def _before_impact(self, result: DemoResult) -> None:
        """What had been done in time stands before everything else; goals by name, met or not."""
        b, goals = result.figures["before_impact"], result.goals
        if b is None or goals is None:
            return
        self._console.print(before_impact_table(b))
        if b["worst_group"] is not None:
            done, of = b["groups"][b["worst_group"]]
            worst = labels.say(labels.GROUPS, b["worst_group"])
            self._console.print(t("Worst group: [bold]{group}[/bold], {n} of {all}.", group=worst, n=done, all=of))
        first, aid = b["first_knock_min"], b["help"]
        spoken = goals["facilities_spoken_10_min"]
        moving, houses = b["cannot_leave_moving"], b["facilities_moving"]
        share = goals["cannot_leave_moving_15_min_before"]["goal"]
        met = ((moving[0] / moving[1]) if moving[1] else 1.0) >= share
        if logged := [name for name, n in result.figures["by_channel"].items() if n["logged"]]:
            only = labels.all_of(labels.CHANNELS, logged)
            self._console.print(t("[bold]{channels}[/bold]: only written to a log. It reaches nobody.", channels=only))
        for said, fine in (
            (t("houses of many spoken with in 10 minutes: {share} %", share=round(100 * spoken["share"])), spoken["met"]),
            (t("houses of many moving 15 minutes before: {n} of {all}", n=houses[0], all=houses[1]), houses[0] == houses[1]),
            (t("who cannot leave moving or helped 15 minutes before: {n} of {all}", n=moving[0], all=moving[1]), met),
            (t("calls for help met: {n} of {all}", n=aid["met"], all=aid["asked"]), aid["unmet"] == 0),
            (t("knocks after the time to turn back: {n}", n=b["knocks_after_turn_back"]), not b["knocks_after_turn_back"]),
            (t("people told the opposite by another warning: {n}", n=b["contradictions"]), not b["contradictions"]),
        ):  # fmt: skip
            self._console.print(f"  {t('met') if fine else t('NOT MET')}: {said}", highlight=False)
        if first["p50"] is not None:
            self._console.print(
                t("First knock after {p50} minutes, for nine in ten after {p90}.", p50=first["p50"], p90=first["p90"])
            )


def before_impact_table(figures: ImpactFigures) -> Table:
    """By group, who was closed 15 minutes before the impact and at it."""
    title = t("Closed before the impact, {lead} minutes after the release", lead=round(figures["lead_min"]))
    table = Table(t("group"), title=title, title_justify="left")
    for name in (t("people"), t("15 minutes before"), t("at the impact")):
        table.add_column(name, justify="right")
    for name, (done, of) in sorted(figures["groups"].items(), key=lambda one: one[1][0] / one[1][1]):
        word = t("unregistered, estimated") if name == "unregistered" else labels.say(labels.GROUPS, name)
        table.add_row(word, str(of), _share(done, of), _share(figures["groups_at_impact"][name][0], of))
    return table


def _share(done: int, of: int) -> str:
    """In percent where there are enough for it to mean anything."""
    return f"{100 * done / of:.0f} %" if of >= 30 else t("{n} of {all}", n=done, all=of)


def coverage_tables(figures: ByGroupAndChannel) -> list[Table]:
    """By group and by channel, as tables for a terminal."""
    groups = Table(t("group"), title=t("Coverage by group (groups overlap)"), title_justify="left")
    for name in (t("people"), t("delivered"), t("reached"), tc("of people", "closed"), t("coverage")):
        groups.add_column(name, justify="right")
    for name, g in sorted(figures["by_group"].items(), key=lambda item: item[1]["coverage"]):
        share = (
            f"{100 * g['coverage']:.0f} %" if g["people"] >= 30 else t("{n} of {all}", n=g["reached"], all=g["people"])
        )
        groups.add_row(
            labels.say(labels.GROUPS, name),
            str(g["people"]),
            str(g["delivered"]),
            str(g["reached"]),
            str(g["closed"]),
            share,
        )
    channels = Table(t("channel"), title=t("By channel (messages, calls, visits)"), title_justify="left")
    columns = {
        "planned": t("planned"), "logged": t("to a log"), "accepted": t("handed over"), "delivered": t("delivered"),
        "heard": t("heard"), "answered": t("answered"), "failed": t("failed"),
    }  # fmt: skip
    for words in columns.values():
        channels.add_column(words, justify="right")
    for name, r in sorted(figures["by_channel"].items()):
        channels.add_row(labels.say(labels.CHANNELS, name), *(str(r[c]) for c in columns))
    return [groups, channels]


def channel_table(stand: list[ChannelState]) -> Table:
    """What /channels/state says, a line a channel and provider."""
    table = Table(
        t("channel"),
        t("in use"),
        t("carried by"),
        t("stands"),
        t("last test"),
        title=t("Channels"),
        title_justify="left",
    )
    for one in stand:
        used = t("yes") if one["working"] else t("NO: {reason}", reason=labels.say(labels.LEFT_OUT, one["why"]))
        for n, p in enumerate(one["providers"] or [NOBODY]):
            why = labels.say(labels.LEFT_OUT, p["why"]) if p["why"] else ""
            failed = t(", {n} failed running", n=p["test_failures"]) if p["test_failures"] else ""
            table.add_row(
                one["channel"] if n == 0 else "", used if n == 0 else "", p["provider"],
                t("TAKES NOTHING") if p["alarm"] else t("not used: {reason}", reason=why) if why else told(p["stands"]),
                told(p["test"]) + failed,
            )  # fmt: skip
    return table
