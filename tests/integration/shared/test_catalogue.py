"""The catalogue of words: whole in every language, true to its places, and nothing people read stands outside of it."""

from __future__ import annotations

import ast
import re
import shutil
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2 import nodes

from services.registry.resident.words import words
from services.shared import i18n, labels
from services.shared.i18n import SOURCE, best, direction, speaking, t, tn, told
from services.shared.web import html
from tests.kit import pseudo
from tests.kit.sources import trees
from tools.catalogue import FAULTS, ROOT, catalogues, lacking, messages, templates, updated

SHIPPED = [file.parent.name for file, _ in catalogues()]


@pytest.fixture
def backwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The shipped languages and one more, which is a folder that was added."""
    shutil.copytree(i18n.FOLDER, tmp_path / "locale")
    pseudo.write(tmp_path / "locale")
    monkeypatch.setattr(i18n, "FOLDER", tmp_path / "locale")
    return pseudo.TAG


def test_every_catalogue_is_whole() -> None:
    """Each has every message of the sources and no other, a translation of each; else: make words."""
    assert ["zh-Hans"] == SHIPPED
    new = messages()
    for file, catalogue in catalogues():
        assert updated(catalogue, new) == file.read_bytes(), f"{file}: make words"
        assert [] == lacking(catalogue), file


def test_a_translation_has_the_places_of_its_message() -> None:
    """All of them and no other, by name."""
    for file, catalogue in catalogues():
        assert [] == [message.id for message in catalogue if message.id and not i18n.sound(message)], file


def test_markup_is_the_same_in_every_language() -> None:
    """A translation opens and closes what its message does, and nothing else."""
    tags = re.compile(r"</?(?:a|b|bdi|code|q|span)\b[^>]*>")
    for _, catalogue in catalogues():
        for message in catalogue:
            ids = [message.id] if isinstance(message.id, str) else list(message.id)
            strings = [message.string] if isinstance(message.string, str) else list(message.string or ())
            for string in strings:
                assert sorted(tags.findall(ids[-1])) == sorted(tags.findall(string)), message.id


def test_chinese_is_chinese() -> None:
    """No translation is the English again, but for signs, names of settings and what a machine reads."""
    for _, catalogue in catalogues():
        for message in catalogue:
            own = re.sub(r"\{[^}]*\}|<[^>]*>", "", message.id if isinstance(message.id, str) else message.id[0])
            if message.string == message.id and re.search("[a-z]{3} [a-z]{3}", own):
                assert re.search("sox|export|tocsin", own), message.id


def test_a_broken_translation_is_said_in_english(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that is none of the message's would break a page in the middle of a night."""
    (tmp_path / "fr").mkdir()
    body = (
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\nmsgid "No. {number}"\nmsgstr "N. {numero}"\n'
    )
    (tmp_path / "fr" / "tocsin.po").write_text(body + '\nmsgid "Warnings"\nmsgstr "Alertes"\n')
    monkeypatch.setattr(i18n, "FOLDER", tmp_path)
    with speaking("fr"):
        assert ("No. 7", "Alertes", "Channels") == (t("No. {number}", number=7), t("Warnings"), t("Channels"))


def test_which_language_is_spoken() -> None:
    """By tag, by base, by what a spoken kind is written in; English where nothing fits."""
    assert ["zh-Hans", "zh-Hans", "zh-Hans", "en", ""] == [best(w) for w in ("zh", "zh_CN.UTF-8", "yue", "en-GB", "th")]
    assert "zh-Hans" == best(i18n.accepted("th, zh-CN;q=0.8, en;q=0.5, *;q=0.1"))
    assert "en" == best(i18n.accepted("en, zh;q=0.9"))
    assert "" == best(i18n.accepted("zh;q=0"))
    assert "zh-Hans" == i18n.of_process([("LANG", "zh_CN.UTF-8")])
    assert "en" == i18n.of_process([("LANG", "zh_CN.UTF-8"), ("TOCSIN_LANG", "en")])
    assert SOURCE == i18n.of_process([("LANG", "C")])


def test_numbers_have_their_form() -> None:
    """One and many in English; Chinese has one form."""
    one, many = "{n} hour", "{n} hours"
    assert ["1 hour", "2 hours"] == [tn(one, many, n) for n in (1, 2)]
    with speaking("zh-Hans"):
        assert ["1小时", "2小时"] == [tn(one, many, n) for n in (1, 2)]


def test_a_sentence_written_in_english_is_told_in_the_readers_language() -> None:
    """With what was filled in; behind a file's name too; what is nobody's message stays as it is."""
    with speaking("zh-Hans"):
        assert "没有预警abc" == told("there is no warning abc")
        assert "policy.yaml: 没有预警abc" == told("policy.yaml: there is no warning abc")
        assert "磁盘满了" == told("the disk is full")
        assert "disk: /x下只剩12 MB(共40 GB):请腾出空间" == told("disk: 12 MB of 40 GB are free under /x: make room")
        assert "policy.yaml: 第 61 行,tiers.blue:'x' 不在列表中;请用 a, b, c, d, e, f, g, h, i" == told(
            "policy.yaml: line 61, tiers.blue: 'x' is not on the list; use a, b, c, d, e, f, g, h, i"
        )
        assert "第 2 行:这里没有'x';请用a, b" == told("line 2: 'x' is not known here; use a, b")
        assert "王 said nothing of ours" == told("王 said nothing of ours")
        assert "编号4721:3件求助和1件提问未办结,其中无人接办2件。" == told(
            "No. 4721: 3 calls for help, and also 1 question are open, 2 of them nobody's."
        )
        assert "手语csl, 文字" == told("sign csl, plain text")
        assert "坐轮椅, 要2人抬" == told("wheelchair, carry 2")
        assert "用电器械:电池90分钟;或在Lane 4" == told("power: 90 min of battery; or at Lane 4")
    assert "there is no warning abc" == told("there is no warning abc")


def test_telling_takes_no_longer_the_longer_a_strangers_words_are() -> None:
    """What was filled in may be anybody's: no text makes the search for its message slow."""
    with speaking("zh-Hans"):
        told("warm up")
        begun = time.perf_counter()
        for unit in ("a: b; (c)", "No. 1", "there is no warning x: "):
            for many in (5_000, 1_900 // len(unit)):
                told(f"there is no warning {', '.join([unit] * many)}"[:100_000])
        assert time.perf_counter() - begun < 2


SIGN_IN: dict[str, Any] = {
    "who": None, "wrong": False, "plane": "live", "text": "", "people": False, "options": "", "elsewhere": "",
    "office": "", "to": "/console", "problem": "", "login": "",
}  # fmt: skip


def test_adding_a_language_is_adding_a_folder(backwards: str) -> None:
    """It is offered with its own name, chosen by its tag and its base, and read from right to left."""
    assert {"en": "English", "ar-XB": pseudo.NAME, "zh-Hans": "中文"} == i18n.offered()
    assert backwards == best("ar-EG")
    assert ("rtl", "ltr") == (direction(backwards), direction("zh-Hans"))
    with speaking(backwards):
        page = html.rendered("sign_in.html", **SIGN_IN | {"wrong": True, "plane": "drill"})
    assert '<html lang="ar-XB" dir="rtl">' in page
    assert pseudo.said("Your key") in page
    assert "{" not in page


@pytest.mark.parametrize("template", ["sign_in.html", "me_done.html", "look_none.html"])
def test_no_english_is_left_on_a_page(backwards: str, template: str) -> None:
    """In the language nobody speaks every Latin letter stands outside of the catalogue."""
    values: dict[str, Any] = SIGN_IN | {"saved": ""}
    with speaking(backwards):
        page = html.rendered(template, w=lambda key: words(key, hotline="12345"), **values)
    shown = _Shown()
    shown.feed(page)
    assert [] == [text for text in shown.found if text not in ("Tocsin", "English")]


# ---- what stands outside


class _Shown(HTMLParser):
    """The words of a page: its text, and the attributes that are read out."""

    READ_OUT = ("aria-label", "title", "alt", "placeholder")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._code = 0

    def _words(self, text: str) -> None:
        self.found += re.findall(r"[A-Za-z\u3400-\u9fff]{2,}", text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._code += tag in ("script", "style", "code")
        for name, value in attrs:
            if name in self.READ_OUT:
                self._words(value or "")

    def handle_endtag(self, tag: str) -> None:
        self._code -= tag in ("script", "style", "code")

    def handle_data(self, data: str) -> None:
        if not self._code:
            self._words(data)


def _laid_out(node: nodes.Node, values: list[nodes.Expr]) -> str:
    """A template's own text in order, each expression as the number it has in `values`."""
    if isinstance(node, nodes.TemplateData):
        return str(node.data)
    if isinstance(node, nodes.Output):
        return "".join(_laid_out(child, values) for child in node.nodes)
    if isinstance(node, nodes.Expr):
        values.append(node)
        return f"\ue000{len(values) - 1}\ue001"
    return "".join(_laid_out(child, values) for child in node.iter_child_nodes() if not isinstance(child, nodes.Expr))


def _own_words(node: nodes.Node) -> Iterator[str]:
    """Texts an expression may show by itself: not the arguments of what asks the catalogue, nor tests and keys."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, nodes.CondExpr):
        yield from _own_words(node.expr1)
        if node.expr2 is not None:
            yield from _own_words(node.expr2)
    elif isinstance(node, nodes.Concat | nodes.Or | nodes.And | nodes.Add):
        for child in node.iter_child_nodes():
            yield from _own_words(child)


TEMPLATES = sorted(f for f in (ROOT / "services").glob("*/templates/*.html") if f.parent.parent.name != "sim")


@pytest.mark.parametrize("file", TEMPLATES, ids=lambda f: f.name)
def test_a_template_has_no_words_of_its_own(file: Path) -> None:
    """Text, attributes that are read out, and the branches of an expression: all of it comes from the catalogue.

    Left out is the page of the stand-in for phones: whoever tries Tocsin sees it, and no resident and no officer.
    """
    values: list[nodes.Expr] = []
    laid_out = _laid_out(jinja2.Environment(autoescape=True).parse(file.read_text(encoding="utf-8")), values)
    shown = _Shown()
    shown.feed(re.sub("\ue000[0-9]+\ue001", "0", laid_out))
    assert [] == [word for word in shown.found if word != "Tocsin"]
    marked = _Marked()
    marked.feed(laid_out)
    said = [word for n in marked.read for word in _own_words(values[n]) if re.search("[A-Za-z\u3400-\u9fff]{2}", word)]
    assert [] == [word for word in said if not word.startswith("&")]


class _Marked(_Shown):
    """Which expressions stand where they are read."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[int] = []

    def _words(self, text: str) -> None:
        self.read += [int(n) for n in re.findall("\ue000([0-9]+)\ue001", text)]


# Modules that read Chinese, or write it for a machine, a rehearsal or a test of the language; no page has it from there.
READ_CHINESE = (
    "channels/messages/fitting.py", "channels/messages/frames.py", "channels/replies/quoted_text.py",
    "channels/messages/render.py", "channels/replies/meaning.py", "channels/messages/phrases.py",
    "channels/messages/hazard_texts.py", "channels/messages/hazard_text_rules.py",
    "channels/messages/cell_broadcast_text.py", "gateway/intake/blocks.py",
    "gateway/cap/", "gateway/publish/documents.py", "gateway/publish/parts.py", "registry/importing/cell_words.py",
    "registry/importing/cells.py", "registry/importing/columns.py", "registry/importing/language_names.py",
    "registry/importing/phone_cells.py", "registry/sample/people.py", "registry/model/answer_words.py",
    "shared/hazards/", "shared/text/chinese.py", "shared/text/sentences.py", "shared/tiers.py", "sim/", "trial.py",
)  # fmt: skip


def test_no_sentence_in_another_language_stands_in_the_code() -> None:
    """Not in a module that says something; docstrings may show what one reads."""
    found = []
    for name, module in trees().items():
        if name.startswith(READ_CHINESE):
            continue
        docs = {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr)}
        found += [
            f"{name}:{node.lineno}: {node.value[:40]}"
            for node in ast.walk(module)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
            and re.search("[\u3400-\u9fff]{2}", node.value)
        ]  # fmt: skip
    assert [] == found


# Faults whose sentence is made elsewhere, of a message there: a server's answer, a fault passed on, a resident's own sentence.
MADE_ELSEWHERE = {
    "channels/drivers/chat/groups_file.py": {"said"},
    "registry/importing/rows.py": {"lat"},  # its own `wrong`: a place that cannot be
    "router/policy/engine.py": {"said"},
    "shared/input/fields.py": {"str(problem)", "problem.message"},
    "sim/sandbox.py": {"form"},  # its own `wrong`: what the provider's stand-in refuses
    "shared/input/files.py": {"self._before(said)", "said"},  # "line {at}: {message}" around what a rule said
    "commands/kit.py": {"said", "fault.message + remedy"},
    "commands/registry.py": {"said", "_sentence(line['fault'], line)"},
    "gateway/accounts/openid.py": {"sentence"},  # its own `_no`
    "gateway/web/staff_form.py": {"sentence"},  # its own `_wrong`
    "shared/powers/may.py": {"thing.missing", "why"},  # the sentence of one that is not there
    "demo.py": {"taken.get('title', '')", "released.get('title', '')"},
    "gateway/feeds/fetch.py": {"problem.message", "problem.__cause__.message"},
    "registry/api.py": {"BROKE_OFF"},
    "registry/people/mass_changes.py": {"missing"},  # of the same words as where it may not be seen
    "registry/people/places.py": {"NO_PLACE"},
    "registry/model/given.py": {"wrong.message"},
    "registry/model/facts.py": {"name"},  # its own Conflict: two sources that differ
    "registry/resident/base.py": {"self.w('she_decides')", "self.w('guardian_only')", "self.w('she_said')"},
    "registry/resident/helpers.py": {"self.w('help_gone')"},
    "shared/audit/audit_head.py": {"self._old_fault"},
    "shared/people/push_subscription.py": {"message"},
}


def test_the_sentence_of_every_fault_is_a_message() -> None:
    """What a fault says is a literal, or one with places, so that the catalogue has it; or was made of one elsewhere."""
    found = []
    for name, module in trees().items():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FAULTS and node.args:
                said = node.args[0]
                if not templates(said) and ast.unparse(said) not in MADE_ELSEWHERE.get(name, ()):
                    found.append(f"{name}:{node.lineno}: {ast.unparse(said)[:80]}")
    assert [] == found


def test_what_a_command_prints_is_told() -> None:
    """A sentence goes through `echo`, which tells it in the language of the terminal; bare output is a machine's."""
    found = []
    for name, module in trees().items():
        if not name.startswith(("commands/", "__main__")):
            continue
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("typer.echo", "print", "sys.stdout.write"):
                for template in templates(node.args[0]) if node.args else ():
                    own = re.sub(r"\{[^}]*\}", "", template).strip()
                    if re.search("[a-z]{3}", own) and not own.startswith(("export", "tocsin")):
                        found.append(f"{name}:{node.lineno}: {template}")
    assert [] == found


def test_a_label_says_every_key_once() -> None:
    """No table of labels is empty, and all of what they say is in every catalogue."""
    tables = {name: table for name, table in vars(labels).items() if name.isupper() and isinstance(table, dict)}
    assert len(tables) > 15
    with speaking("zh-Hans"):
        for name, table in tables.items():
            assert table, name
            for key in table:
                assert not labels.say(table, key).isascii() or key in ("sms", "sms_short"), (name, key)
