"""Apprise: a loop over the recipients, no broker, each recorded by one UPDATE."""

from __future__ import annotations

import sys

import apprise
import psycopg
from apprise.plugins.twilio import NotifyTwilio

from bench.peers import work


def send_all(count: int) -> None:
    """Rows, then one `notify` each; its own pause between messages is taken out."""
    for name, value in vars(NotifyTwilio).items():
        if isinstance(value, str) and "api.twilio.com" in value:
            setattr(NotifyTwilio, name, value.replace("https://api.twilio.com", work.PROVIDER))
    NotifyTwilio.request_rate_per_sec = 0
    rows = list(work.people(count))
    with psycopg.connect(work.DATABASE) as database:
        with database.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO message (id, name, phone, language, state) VALUES (%s, %s, %s, %s, 'queued')", rows
            )
        database.commit()
        for number, name, phone, language in rows:
            one = apprise.Apprise()
            one.add(f"twilio://{work.ACCOUNT}:{work.TOKEN}@{work.SENDER[1:]}/{phone[1:]}")
            if not one.notify(body=work.text_for(name, language)):
                sys.exit(f"message {number} was not taken")
            with database.transaction():
                database.execute("UPDATE message SET state = 'sent', updated_at = now() WHERE id = %s", (number,))


if __name__ == "__main__":
    send_all(int(sys.argv[1]))
