"""The policy as a page a council can read and sign: tier x group x day and night, one hazard at a time. Pure.

Each cell is what `foresee` says of a typical person of the group: with a mobile, and a helper where the group's first
channel is one. The page stands alone (no script, no link, no picture), prints on A4 across, and names its policy.
"""

from __future__ import annotations

from html import escape

from services.router.explaining.explain import WORKING, made_up
from services.router.explaining.foresee import Foreseen, foresee, made_up_warning
from services.router.policy import path_words as pw
from services.router.policy.engine import Policy
from services.router.policy.path_words import say
from services.shared.hazards import name_of
from services.shared.tiers import Tier

NOON, NIGHT = 12 * 60, 2 * 60


def kinds_of(policy: Policy, group: str) -> tuple[str, ...]:
    """The contacts of a typical person of a group."""
    if group == "facility":
        return ("duty_phone_1", "duty_phone_2", "sms")
    if group == "no_phone":
        return ()
    own = ("voice_landline", "sms") if group.startswith("older") else ("sms", "voice_mobile")
    helped = policy.groups[group].personal[0] in ("supporter", "guardian")
    return (*own, "supporter") if helped else own


def typical(policy: Policy, group: str, tier: Tier, hazard: str, minute: int) -> Foreseen:
    """The path of a typical person; in blue and yellow of one who asked to be told."""
    needs = () if group == "general" else (group,)
    profile = made_up(needs, kinds_of(policy, group))
    return foresee(made_up_warning(policy, tier, hazard, minute, WORKING), profile)


def cell(seen: Foreseen, lang: str = "en") -> str:
    """Minutes and what is done then: "0 SMS, call; 10 supporter; 60 door"; a house's and a person's own channels alone."""
    zh = lang == "zh"
    if not seen.plan.asked:
        return "只有广播" if zh else "broadcast alone"
    minutes: dict[float, list[str]] = {}
    for act in seen.acts:
        if act.to == "area":
            continue
        name = say(pw.CHANNELS, act.channel.partition(":")[0], lang)
        if act.again:
            name += "(再一次)" if zh else " again"
        if act.channel == "door":
            name += f"({pw.team(seen.plan.team, lang)})" if zh else f" ({pw.team(seen.plan.team, lang)})"
        minutes.setdefault(act.minute, []).append(name)
    gap = "、" if zh else ", "
    parts = [f"{minute:g} {gap.join(dict.fromkeys(names))}" for minute, names in sorted(minutes.items())]
    return (";" if zh else "; ").join(parts) or ("只有广播" if zh else "broadcast alone")


def as_text(policy: Policy, hazard: str) -> str:
    """The whole table of one hazard as text: the golden record of what the shipped policy promises."""
    found = [f"{policy.name}: {hazard}, minutes from release (held at night: from release too)"]
    for tier in Tier:
        found += ["", f"== {tier.word}"]
        for group in policy.groups:
            halves = {
                half: typical(policy, group, tier, hazard, minute) for half, minute in (("day", NOON), ("night", NIGHT))
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


def as_page(policy: Policy, hazard: str, lang: str = "en") -> str:
    """One HTML page."""
    zh = lang == "zh"
    name = name_of(hazard, lang)
    title = f"预警方案:{name}" if zh else f"Warning policy: {name}"
    head = (
        f"方案 {escape(policy.name)},{policy.policy.reviewed} 审阅,{policy.review_due()} 前再审阅。" if zh
        else f"Policy {escape(policy.name)}, reviewed {policy.policy.reviewed}, to be read again by {policy.review_due()}."
    )  # fmt: skip
    body = [f"<h1>{title}</h1>", f"<p>{head} {escape(_hazard_words(policy, hazard, lang))}</p>"]
    body.append(f"<p>{escape(_reading(policy, lang))}</p>")
    body += [_tier_table(policy, tier, hazard, lang) for tier in reversed(Tier)]
    body.append(_closing_table(policy, lang))
    body.append(_sign(lang))
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body><main>{''.join(body)}</main></body></html>\n"
    )


def _hazard_words(policy: Policy, hazard: str, lang: str) -> str:
    rule = policy.hazard(hazard)
    doors = {
        "allowed": ("Officers may go to doors.", "可以上门。"),
        "if_commander_says_safe": ("Officers go to doors when the commander has said it is safe.", "指挥员说安全后才上门。"),
        "ask_commander": ("Whether officers go to doors is asked of the commander.", "是否上门要问指挥员。"),
        "forbidden": ("Nobody is sent to a door: names go to the fire service.", "不许上门:名字交消防。"),
    }  # fmt: skip
    respond = {
        "evacuate": ("People are to leave.", "要转移。"),
        "shelter_in": ("People are to stay inside.", "要待在屋里。"),
        "check_on": ("Somebody looks after people at home.", "要有人看望。"),
        "as_told": ("People do what the message says.", "照信息说的做。"),
    }
    return f"{say(respond, rule.respond, lang)} {say(doors, rule.door, lang)}"


def _reading(policy: Policy, lang: str) -> str:
    a, b = (f"{m // 60:02d}:{m % 60:02d}" for m in policy.clock.night)
    if lang == "zh":
        return (
            f"数字是发布后的分钟数,没有人应答时才走到下一步。夜间是{a}到{b},每一步按当时判断。"
            "蓝色、黄色夜间等到天亮。一般居民要自己登记才收蓝色、黄色。"
        )
    return (
        f"Numbers are minutes from release; a later step is taken only while nobody has answered. Night is {a} to {b}, "
        "judged at each step. Blue and yellow wait for the morning. People with no special need get blue and yellow only if "
        "they asked."
    )


def _tier_table(policy: Policy, tier: Tier, hazard: str, lang: str) -> str:
    zh = lang == "zh"
    rows = []
    for group in policy.groups:
        day, night = (cell(typical(policy, group, tier, hazard, at), lang) for at in (NOON, NIGHT))
        name = escape(say(pw.GROUPS, group, lang))
        if day == night:
            rows.append(f'<tr><th scope="row">{name}</th><td colspan="2">{escape(day)}</td></tr>')
        else:
            rows.append(f'<tr><th scope="row">{name}</th><td>{escape(day)}</td><td>{escape(night)}</td></tr>')
    columns = ("人群", "白天", "夜间") if zh else ("group", "by day", "at night")
    heads = "".join(f'<th scope="col">{c}</th>' for c in columns)
    return (
        f'<section><h2 class="tier {tier.word}">&nbsp;{escape(say(pw.TIERS, tier.word, lang).capitalize())}</h2>'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></section>"
    )


def _closing_table(policy: Policy, lang: str) -> str:
    zh = lang == "zh"
    names = {
        "default": ("everybody else", "其他人"),
        "cannot_judge": ("who cannot judge alone", "自己判断不了的人"),
        "cannot_leave": ("who cannot leave alone", "自己走不了的人"),
    }
    rows = []
    gap = "、" if zh else ", "
    for name, rule in policy.closed_if.classes.items():
        answers = gap.join(say(pw.ANSWERS, a, lang) for a in sorted(rule.answers))
        by = gap.join(
            ("本人" if zh else "the person") if b == "person" else say(pw.BY, b, lang) for b in sorted(rule.by)
        )
        rows.append(f'<tr><th scope="row">{say(names, name, lang)}</th><td>{answers}</td><td>{by}</td></tr>')
    title = "什么时候算落实" if zh else "When a person's path is closed"
    columns = ("谁", "说", "由谁说") if zh else ("who", "by the answer", "given by")
    heads = "".join(f'<th scope="col">{c}</th>' for c in columns)
    help_ = "“要帮助”从不算落实:马上有人去。" if zh else "“I need help” never closes a path: it brings somebody."
    return (
        f"<section><h2>{title}</h2><table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<p>{help_}</p>"
    )


def _sign(lang: str) -> str:
    zh = lang == "zh"
    offices = (
        ("应急管理局", "残疾人联合会", "消防救援", "街道/乡镇") if zh
        else ("Emergency management", "Disability organisation", "Fire service", "Town or township")
    )  # fmt: skip
    columns = ("单位", "姓名", "签字", "日期") if zh else ("office", "name", "signature", "date")
    heads = "".join(f'<th scope="col">{c}</th>' for c in columns)
    rows = "".join(f'<tr><th scope="row">{o}</th><td></td><td></td><td></td></tr>' for o in offices)
    title = "签字" if zh else "Signed by those who answer for it"
    return f'<h2>{title}</h2><table class="sign"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></section>'
