"""Writes the policy as a page a council can read and sign: tier x group x day and night. Pure.

Each cell is what `foresee` says of a typical person of the group, whom the caller makes up: the register derives people.
The page stands alone (no script, no link, no picture), prints on A4 across, and names its policy.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape

from services.router.explaining.explain import WORKING
from services.router.explaining.foresee import Foreseen, foresee, made_up_warning
from services.router.policy.engine import Policy
from services.shared import labels
from services.shared.i18n import SOURCE, direction, language, listed, mark, speaking, t, tc
from services.shared.labels import say
from services.shared.messages import Profile
from services.shared.tiers import Tier

NOON, NIGHT = 12 * 60, 2 * 60
People = Callable[[str], Profile]  # need group > a typical person of it


def typical(policy: Policy, profile: Profile, tier: Tier, hazard: str, minute: int) -> Foreseen:
    """The path of a typical person."""
    return foresee(made_up_warning(policy, tier, hazard, minute, WORKING), profile)


def cell(seen: Foreseen) -> str:
    """Minutes and what is done then: "0 SMS, call; 10 supporter; 60 door"; a house's and a person's own channels alone."""
    alone = t("nothing that reaches them") if "unheard" in seen.plan.facts else t("broadcast alone")
    if not seen.plan.asked:
        return alone
    minutes: dict[float, list[str]] = {}
    for act in seen.acts:
        if act.to == "area":
            continue
        name = labels.visit(act.channel.partition(":")[0], seen.plan.team)
        minutes.setdefault(act.minute, []).append(t("{channel} again", channel=name) if act.again else name)
    parts = [
        t("{n:g} {channels}", n=minute, channels=listed(dict.fromkeys(names)))
        for minute, names in sorted(minutes.items())
    ]
    return tc("between reasons", "; ").join(parts) or alone


def as_text(policy: Policy, hazard: str, people: People) -> str:
    """The whole table of one hazard as text, in English: the golden record of what the shipped policy promises."""
    with speaking(SOURCE):
        return _as_text(policy, hazard, people)


def _as_text(policy: Policy, hazard: str, people: People) -> str:
    found = [f"{policy.name}: {hazard}, minutes from release (held at night: from release too)"]
    for tier in Tier:
        found += ["", f"== {tier.word}"]
        for group in policy.groups:
            halves = {
                half: typical(policy, people(group), tier, hazard, minute)
                for half, minute in (("day", NOON), ("night", NIGHT))
            }
            cells = {half: _described(seen) for half, seen in halves.items()}
            if cells["day"] == cells["night"]:
                found.append(f"{group:26} always {cells['day']}")
            else:
                found += [f"{group:26} {half:6} {cells[half]}" for half in ("day", "night")]
    return "\n".join(found) + "\n"


def _described(seen: Foreseen) -> str:
    plan = seen.plan
    if not plan.asked:
        return cell(seen)
    return f"{cell(seen)} | {plan.escalation}, {plan.form}, closes {plan.closing}"


_STYLE = """
@page { size: A4 landscape; margin: 12mm }
body { font: 10pt/1.35 "Noto Sans", "Noto Sans CJK SC", sans-serif; color: #000; background: #fff; margin: 1.5em }
h1 { font-size: 16pt; margin: 0 0 .2em } h2 { font-size: 12pt; margin: 1.2em 0 .3em; break-after: avoid }
table { border-collapse: collapse; width: 100% } th, td { border: 1px solid #555; padding: .25em .4em; text-align: left;
vertical-align: top } thead { display: table-header-group } tr { break-inside: avoid } thead th { background: #e8e8e8 }
tbody th { font-weight: 600; width: 11em } .tier { border-left: .5em solid } .blue { border-left-color: #1f5fbf }
.yellow { border-left-color: #c9a400 } .orange { border-left-color: #d96c00 } .red { border-left-color: #b00020 }
.sign td { height: 2.2em } .small { font-size: 9pt } .tiertable { break-before: auto } section { break-before: page }
section:first-of-type { break-before: auto }
"""


def as_page(policy: Policy, hazard: str, people: People, texts: str = "") -> str:
    """One HTML page; `texts` is a table of what those people are told, as HTML."""
    title = t("Warning policy: {hazard}", hazard=labels.hazard(hazard))
    head = t(
        "Policy {policy}, reviewed {reviewed}, to be read again by {due}.", policy=policy.name, reviewed=policy.policy.reviewed,
        due=policy.review_due(),
    )  # fmt: skip
    body = [f"<h1>{escape(title)}</h1>", f"<p>{escape(head)} {escape(_hazard_words(policy, hazard))}</p>"]
    body.append(f"<p>{escape(_reading(policy))}</p>")
    body += [_tier_table(policy, tier, hazard, people) for tier in reversed(Tier)]
    body.append(_closing_table(policy))
    if texts:
        body.append(f"<h2>{escape(t('What they are told'))}</h2>{texts}")
    body.append(_sign())
    return (
        f'<!doctype html>\n<html lang="{language()}" dir="{direction()}"><head><meta charset="utf-8">'
        f'<title>{escape(title)}</title><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>\n<body><main>{''.join(body)}</main></body></html>\n"
    )


_DOORS: labels.Words = {
    "allowed": mark("Officers may go to doors."),
    "if_commander_says_safe": mark("Officers go to doors when the commander has said it is safe."),
    "ask_commander": mark("Whether officers go to doors is asked of the commander."),
    "forbidden": mark("Nobody is sent to a door: names go to the fire service."),
}
_RESPOND: labels.Words = {
    "evacuate": mark("People are to leave."),
    "shelter_in": mark("People are to stay inside."),
    "check_on": mark("Somebody looks after people at home."),
    "as_told": mark("People do what the message says."),
}
_CLOSINGS: labels.Words = {
    "default": mark("everybody else"),
    "cannot_judge": mark("who cannot judge alone"),
    "cannot_leave": mark("who cannot leave alone"),
}


def _hazard_words(policy: Policy, hazard: str) -> str:
    rule = policy.hazard(hazard)
    return f"{say(_RESPOND, rule.respond)} {say(_DOORS, rule.door)}"


def _reading(policy: Policy) -> str:
    begin, end = (f"{m // 60:02d}:{m % 60:02d}" for m in policy.clock.night)
    return t(
        "Numbers are minutes from release; a later step is taken only while nobody has answered. Night is {begin} to {end}, "
        "judged at each step. Blue and yellow wait for the morning. People with no special need get blue and yellow only if "
        "they asked.",
        begin=begin,
        end=end,
    )


def _heads(*columns: str) -> str:
    return "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)


def _tier_table(policy: Policy, tier: Tier, hazard: str, people: People) -> str:
    rows = []
    for group in policy.groups:
        day, night = (cell(typical(policy, people(group), tier, hazard, at)) for at in (NOON, NIGHT))
        name = escape(say(labels.GROUPS, group))
        if day == night:
            rows.append(f'<tr><th scope="row">{name}</th><td colspan="2">{escape(day)}</td></tr>')
        else:
            rows.append(f'<tr><th scope="row">{name}</th><td>{escape(day)}</td><td>{escape(night)}</td></tr>')
    heads = _heads(t("group"), t("by day"), t("at night"))
    return (
        f'<section><h2 class="tier {tier.word}">&nbsp;{escape(say(labels.TIERS, tier.word).capitalize())}</h2>'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></section>"
    )


def _closing_table(policy: Policy) -> str:
    rows = []
    for name, rule in policy.closed_if.classes.items():
        answers, by = labels.all_of(labels.ANSWERS, sorted(rule.answers)), labels.all_of(labels.BY, sorted(rule.by))
        rows.append(
            f'<tr><th scope="row">{escape(say(_CLOSINGS, name))}</th><td>{escape(answers)}</td><td>{escape(by)}</td></tr>'
        )
    help_ = t("“I need help” never closes a path: it brings somebody.")
    title, heads = t("When a person's path is closed"), _heads(t("who"), t("by the answer"), t("given by"))
    return (
        f"<section><h2>{escape(title)}</h2><table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<p>{escape(help_)}</p>"
    )


def _sign() -> str:
    offices = (
        t("Emergency management"), t("Disability organisation"), t("Fire service"), t("Town or township"),
    )  # fmt: skip
    heads = _heads(t("office"), t("name"), t("signature"), t("date"))
    rows = "".join(f'<tr><th scope="row">{escape(o)}</th><td></td><td></td><td></td></tr>' for o in offices)
    title = escape(t("Signed by those who answer for it"))
    return f'<h2>{title}</h2><table class="sign"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></section>'
