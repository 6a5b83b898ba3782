"""Serves /a, the page on which a person or a supporter answers a warning: plain forms, no script, no sign-in.

The link is the key to the page; it names one delivery.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import urlencode

from aiohttp import web

from services.channels.messages.message_facts import choose_language, of_place
from services.channels.messages.phrases import OR_READY, answered_as, ending_rows, of_instruction
from services.channels.messages.prepare import Preparer, WarningText
from services.channels.messages.render import lines_for, says_what_is_asked
from services.channels.model.report import Report
from services.channels.outcomes.recorder import OutcomeRecorder
from services.channels.pages import store
from services.channels.pages.aloud import Aloud, SpokenWords, word_of
from services.channels.pages.help_asked import Form, HelpAsked, HelpForms
from services.channels.pages.sign_videos import SignVideos
from services.channels.pages.villages import VillagesInWords
from services.channels.replies.matching import by_of
from services.shared.bus.outbox import new_id
from services.shared.endings import PART_RETURNS
from services.shared.errors import NotFound, Refused
from services.shared.hazards.instructions import shown_at
from services.shared.i18n import best, mark, speak, t
from services.shared.ledger.evidence import Answer, Evidence
from services.shared.service import Platform
from services.shared.tiers import Tier
from services.shared.web.edge import chosen_language
from services.shared.web.html import page

# who answers > choice > (answer, words on the button)
ANSWERS: dict[str, dict[str, tuple[Answer, str]]] = {
    "person": {
        "leaving": (Answer.LEAVING, mark("I can do it")),
        "help": (Answer.HELP, mark("I need help")),
        "not_there": (Answer.NOT_THERE, mark("I am not there")),
        "moving": (Answer.MOVING, mark("I am on the way")),
        "safe": (Answer.SAFE, mark("I am safe")),
    },
    "supporter": {
        "spoke": (Answer.SPOKE, mark("I have spoken with the person")),
        "help": (Answer.HELP, mark("The person needs help")),
        "cannot_reach": (Answer.CANNOT_REACH, mark("I cannot reach the person")),
        "moving_with": (Answer.MOVING, mark("I am with the person and we are going")),
        "safe_with": (Answer.SAFE, mark("I am with the person and we are safe")),
    },
}
DOING = {  # instruction > the first button of a person
    "leave": mark("I am leaving"), "go_to_place": mark("I am going there"), "stay_in": mark("I am inside"),
    "go_up": mark("I am upstairs"), OR_READY: mark("I am leaving, or ready to leave"),
}  # fmt: skip
AFTERWARDS = ("moving", "safe")  # asked only of who has answered: "I am safe" is no answer to "go"


def _thanks(said: str, instruction: str, language: str) -> str:
    lines = lines_for(language)
    return of_instruction(lines.doing, instruction) if said == Answer.LEAVING else lines.thanks.get(said, "")


VILLAGES_SHOWN = 30
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?!\d)|(?<=[。!?؟])\s*|\n")
_LARGE = {"1": True, "0": False}


def _is_large(asked: str, by_form: bool) -> bool:
    """Whether the page is in large print: as was asked, else as the person reads their messages."""
    return _LARGE.get(asked, by_form)


class AnswerPages:
    """The handlers of /a."""

    def __init__(
        self, platform: Platform, recorder: OutcomeRecorder, preparer: Preparer, sign_videos: SignVideos, aloud: Aloud
    ) -> None:
        self._platform = platform
        self._recorder = recorder
        self._preparer = preparer
        self._sign_videos = sign_videos
        self._aloud = aloud
        self._help = HelpForms(platform)
        self._villages = VillagesInWords(platform.database)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return (
            web.get("/a/{token}", self.answer_page),
            web.post("/a/{token}", self.answer),
            web.post("/a/{token}/help", self.help),
            web.get("/a/{token}/aloud", self.aloud),
        )

    async def _delivery_of(self, request: web.Request) -> store.WithWarning:
        delivery_id = self._platform.signer("links").subject("answer", request.match_info["token"])
        async with self._platform.database.read() as db:
            row = await store.with_warning(db, delivery_id)
        if row is None:
            raise NotFound("we cannot find this message any more: call the hotline to check it", field="link")
        return row

    async def answer_page(self, request: web.Request) -> web.Response:
        """What to do first, then the buttons; a warning that has ended says that first and no longer says go."""
        return await self._page(request, await self._delivery_of(request))

    async def _page(self, request: web.Request, row: store.WithWarning, asked: HelpAsked | None = None) -> web.Response:
        text = await self._preparer.warning(row.warning_id)
        chosen = chosen_language(request)
        by_form = row.form.startswith("large_print")
        wanted = f"{chosen};{row.language}" if chosen else row.language
        if spoken := best(wanted):
            speak(spoken)
        said_in = choose_language(wanted, list(text.parts["languages"]), of_place(text.parts))
        part = text.parts[said_in]
        kind = row.addressee_kind if row.addressee_kind in ANSWERS else "person"
        async with self._platform.database.read() as db:
            later = await store.later_in_chain(db, row.chain_id)
            asked = asked or await self._help.kept(db, row)
        headline, ending, ends = await self._over(row, later)
        ended = (await self._preparer.warning(ends)).parts if ends else text.parts
        about = ""
        if kind == "supporter" and row.dossier is not None and not headline:  # over: it names nobody any more
            about = (await self._preparer.dossier(row.dossier, row.person_id)).call_name
        said = request.query.get("said", "")
        instruction = str(text.parts.get("instruction", ""))
        told = answered_as(instruction, row.warning_tier)
        hotline, in_danger = self._platform.settings.hotline, self._platform.settings.in_danger
        case = self._help.number(row)
        words = self._words(row, text, said_in)
        easy = request.query.get("easy", "") == "1" or (request.query.get("easy") is None and row.form == "easy_read")
        villages = () if headline else await self._villages.of(row.warning_id)
        choices = {name: t(words) for name, (_, words) in ANSWERS[kind].items()}
        if kind == "person":
            choices["leaving"] = t(DOING.get(told, mark("I can do it")))
        if kind == "person" and headline:
            choices = {name: choices[name] for name in ("help", "safe")}
        elif kind == "person" and not row.answer:
            choices = {name: words for name, words in choices.items() if name not in AFTERWARDS}
        return page(
            "answer.html",
            status=422 if asked.problem else 200,
            asked=asked if row.answer == Answer.HELP else None,
            case=case,
            in_danger=in_danger,
            row=row,
            part=part,
            instruction=instruction,
            drawn=shown_at(Tier(row.warning_tier), instruction),
            hazard=str(text.parts.get("set", "")),
            clips=self._sign_videos.of(str(text.parts.get("set", "")), shown_at(Tier(row.warning_tier), instruction)),
            may_hear=not headline and self._aloud.may(words),
            spoken=words.spoken if not headline else "",
            easy=easy and not headline,
            easy_lines=lines_of(self._preparer.easy(row.warning_id, text, said_in)) if easy and not headline else (),
            villages=villages[:VILLAGES_SHOWN],
            more_villages=max(0, len(villages) - VILLAGES_SHOWN),
            said_in=said_in,
            chosen=chosen,
            large=_is_large(request.query.get("large", ""), by_form),
            by_form=by_form,
            headline=headline,
            ending_text=self._ending_words(ending, ended[said_in], wanted, row.number, instruction) if headline else "",
            checking_text=self._ending_words(ending, part, wanted, row.number, instruction) if not headline else "",
            newer=next((one.number for one in later if one.kind == "update" and one.number != row.number), ""),
            buttons=list(choices.items()),
            about=about,
            token=request.match_info["token"],
            event=new_id(),
            said=said,
            thanks=_thanks(said, told, wanted).format(hotline=in_danger, case=case),
            hotline=hotline,
            plane=self._platform.settings.plane,
        )

    def _words(self, row: store.WithWarning, text: WarningText, language: str) -> SpokenWords:
        return SpokenWords(
            row.warning_id, language, self._preparer.aloud(row.warning_id, text, language), str(text.parts.get("set", "")),
            word_of(text.tier, text.ending), says_what_is_asked(text.parts) and self._platform.settings.plane == "live",
        )  # fmt: skip

    async def aloud(self, request: web.Request) -> web.Response:
        """The warning as sound, in the language of the page it stands on; nothing of what holds no longer."""
        row = await self._delivery_of(request)
        async with self._platform.database.read() as db:
            later = await store.later_in_chain(db, row.chain_id)
        if (await self._over(row, later))[0]:
            raise NotFound("this warning holds no longer: open its page again", field="link")
        text = await self._preparer.warning(row.warning_id)
        wanted = f"{request.query.get('lang', '')[:20]};{row.language}"
        language = choose_language(wanted, list(text.parts["languages"]), of_place(text.parts))
        return web.Response(body=await self._aloud.wav(self._words(row, text, language)), content_type="audio/wav")

    async def _over(self, row: store.WithWarning, later: Sequence[store.Later]) -> tuple[str, str, str]:
        """(headline where the old text no longer holds, kind of ending said about it, that ending where it is for a part of
        the place and this person was told it)."""
        said = row.ending or next(
            (one.ending for one in later if one.kind == "ending" and one.ending != PART_RETURNS), ""
        )
        if row.state == "superseded":
            return t("A newer message has replaced this one"), "", ""
        if row.state == "cancelled" or (row.ending and row.ending != "checking"):
            return t("This warning has ended"), said, ""
        if row.expires_at_warning < self._platform.clock.now():
            return t("The time of this warning is over"), "", ""
        for one in later:  # newest first
            if one.ending == PART_RETURNS:
                async with self._platform.database.read() as db:
                    if await store.was_told(db, one.warning_id, row):
                        return t("This warning has ended for your place"), PART_RETURNS, one.warning_id
        return "", said if said == "checking" else "", ""

    def _ending_words(self, ending: str, part: Mapping[str, str], language: str, number: str, instruction: str) -> str:
        if not ending:
            return ""
        return of_instruction(ending_rows(lines_for(language), ending), instruction).format(
            next=part.get("next", ""),
            source=part["source"], hazard=part["hazard"], place=part["place"], number=number, time=part.get("sent", ""),
            hotline=self._platform.settings.hotline, action=part["action"],
        )  # fmt: skip

    async def answer(self, request: web.Request) -> web.Response:
        """One answer by link; it can be changed later, the most serious one is shown to the officers."""
        row = await self._delivery_of(request)
        form = await request.post()
        kind = row.addressee_kind if row.addressee_kind in ANSWERS else "person"
        choice = str(form.get("answer", ""))
        if choice not in ANSWERS[kind]:
            raise Refused(
                f"answer: choose one of {', '.join(ANSWERS[kind])}", field="answer", rule="closed_list", given=choice
            )
        given = ANSWERS[kind][choice][0]
        by = "supporter_with_person" if choice.endswith("_with") else by_of(row.addressee_kind)
        event = str(form.get("event", ""))[:32] or new_id()
        await self._recorder.report(
            Report(
                row.delivery_id,
                event_key=f"link:{event}",
                source="page",
                evidence=Evidence.ACKNOWLEDGED,
                answer=given,
                by=by,
            )
        )
        raise web.HTTPSeeOther(f"/a/{request.match_info['token']}?{urlencode({'said': given, **_kept(form)})}")

    async def help(self, request: web.Request) -> web.Response:
        """What help, for how many, where to call back; only of who has called for it, and changed as often as they like."""
        row = await self._delivery_of(request)
        form = await request.post()
        if row.answer == Answer.HELP and (wrong := await self._help.keep(row, form)) is not None:
            return await self._page(request, row, wrong)
        raise web.HTTPSeeOther(
            f"/a/{request.match_info['token']}?{urlencode({'said': Answer.HELP, **_kept(form)})}#wanted"
        )


def lines_of(text: str) -> list[str]:
    """A sentence a line."""
    return [line for line in (one.strip() for one in _SENTENCE_END.split(text)) if line]


def _kept(form: Form) -> dict[str, str]:
    """Language and letters of the page, as its form carries them."""
    lang, large = best(str(form.get("lang", ""))[:35]), str(form.get("large", ""))
    kept = ({"lang": lang} if lang else {}) | ({"large": large} if large in _LARGE else {})
    return kept | ({"easy": easy} if (easy := str(form.get("easy", ""))) in _LARGE else {})
