# Everything a person or CI does with Tocsin. Each target makes .venv ready first; a second time that takes no time.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help setup try demo demo-distributed run test test-unit test-long test-faults test-mutants test-peers fuzz-cap bench bench-quick bench-fifty bench-smoke bench-scale bench-cap bench-registry bench-doors lint words lock

help:
	@echo 'make try     a console with fictional people, phones to look at and an alert of today (ARGS=... goes to `tocsin try`)'
	@echo 'make demo    a whole warning, from alert to last door, on this machine alone (ARGS=... goes to `tocsin demo`)'
	@echo 'make demo-distributed  the same over a PostgreSQL and a RabbitMQ of its own, which it starts and ends'
	@echo 'make run     the server, all four services in one process (ARGS=... goes to `tocsin serve`)'
	@echo 'make test    every check, and every test that is not long (ARGS=... goes to pytest)'
	@echo 'make test-unit  what needs no server, no database and no process, in seconds, with few examples of each property'
	@echo 'make test-long   more cases, processes and seconds of what `make test` tries'
	@echo 'make test-faults  every named point, broker, database and wire failing, a misbehaving provider; ends with a table'
	@echo 'make test-mutants  the policy engine with one rule wrong at a time: the tests must notice (20 min; ARGS="3 17")'
	@echo 'make test-peers   our channels against programs of others; ends with a table: driver, peer, what it decoded (fetches prism,'
	@echo '                 Kannel and ffmpeg; TOCSIN_TWILIO_SPEC names the published document)'
	@echo 'make fuzz-cap    ten minutes of broken alerts (ARGS="SECONDS SEED"); real ones too where TOCSIN_CAP_CORPUS is set'
	@echo 'make bench       beside Celery, taskiq, FastStream and Apprise, on the same servers, by the same work; red under'
	@echo '                 500,000 queued blue, memory, receipts (most of an hour; ARGS="red memory" for parts)'
	@echo 'make bench-quick the peers with 2,000 recipients and one run each (5 min; ARGS as above)'
	@echo 'make bench-fifty one warning to 50,000 people by two routers and three channels processes: right or not'
	@echo 'make bench-smoke what a recipient costs beside taskiq, and whether that is what it was when last recorded (a minute)'
	@echo 'make bench-scale one warning to a million people in both modes, every row looked at; ten million planned in memory'
	@echo '                 (most of an hour and 10 GB under /tmp; ARGS="--count N" for fewer)'
	@echo 'make bench-cap   how fast alerts are read, against the XML parser alone'
	@echo 'make bench-doors  how many homes the sharing out of doors reaches, beside OR-Tools, on 50 seeded cases (5 min)'
	@echo 'make bench-registry  a million people imported, found and counted, beside PostGIS (ARGS="--people N" for fewer; installs'
	@echo '                 Debian'"'"'s PostgreSQL and PostGIS if they are missing, which needs root once)'
	@echo 'make lint    the checks without the tests'
	@echo 'make words   every catalogue of words brought up to date with the sources; says what lacks a translation (ARGS=--check)'
	@echo 'make setup   only make .venv ready'
	@echo 'make lock    make the lock files again from pyproject.toml (ARGS=--upgrade for newer versions)'

setup:
	@bash tools/setup.sh

try: setup
	@.venv/bin/tocsin try $(ARGS)

demo: setup
	@.venv/bin/tocsin demo $(ARGS)

demo-distributed:
	@bash tools/setup.sh test
	@.venv/bin/python -m tools.servers.demo $(ARGS)

run: setup
	@.venv/bin/tocsin serve $(ARGS)

test:
	@bash tools/setup.sh test
	@bash tools/check.sh test $(ARGS)

test-unit:
	@bash tools/setup.sh test
	@HYPOTHESIS_PROFILE=quick .venv/bin/python -m pytest -q -n auto --maxprocesses 4 tests/unit $(ARGS)

test-long:
	@bash tools/setup.sh test
	@bash tools/check.sh test-long $(ARGS)

test-faults:
	@bash tools/setup.sh test
	@.venv/bin/python -m pytest -q tests/faults -m 'slow or not slow' $(ARGS)

test-mutants:
	@bash tools/setup.sh test
	@.venv/bin/python -m tools.mutants $(ARGS)

test-peers:
	@bash tools/setup.sh peers
	@.venv/bin/python -m pytest -q -m peer $(ARGS)

fuzz-cap:
	@bash tools/setup.sh test
	@.venv/bin/python -m tools.fuzz_cap $(ARGS)

bench bench-quick:
	@bash tools/setup.sh test
	@bash tools/setup.sh bench
	@.venv/bin/python -m bench $(if $(filter bench-quick,$@),--quick) $(ARGS)

bench-fifty:
	@bash tools/setup.sh test
	@.venv/bin/python -m bench fifty $(ARGS)

bench-smoke:
	@bash tools/setup.sh test
	@bash tools/setup.sh bench
	@.venv/bin/python -m bench smoke $(ARGS)

bench-scale:
	@bash tools/setup.sh test
	@.venv/bin/python -m bench scale plan $(ARGS)

bench-cap:
	@bash tools/setup.sh test
	@.venv/bin/python -m bench.cap $(ARGS)

bench-doors:
	@bash tools/setup.sh test
	@bash tools/setup.sh bench
	@.venv/bin/python -m bench.doors $(ARGS)

bench-registry:
	@bash tools/setup.sh test
	@bash tools/postgis.sh
	@.venv/bin/python -m bench.registry $(ARGS)

words: setup
	@.venv/bin/python tools/catalogue.py $(ARGS)

lint:
	@bash tools/setup.sh test
	@bash tools/check.sh lint

lock:
	@bash tools/lock.sh $(ARGS)
