# Every target is one verb of scripts/ (see scripts/README.md). Only Python >= 3.11 is needed to start.
PYTHON ?= $(shell for p in python3.14 python3.13 python3.12 python3.11 python3; do \
    "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$$p"; break; }; done)

ifeq ($(strip $(PYTHON)),)
$(error Python 3.11 or newer is missing. Remedy: sudo apt-get install python3 python3-venv)
endif

.PHONY: run test check format develop wheel lock bootstrap hostile
.DEFAULT_GOAL := run

run:        ## install and build what is missing, then serve on this machine
	@exec $(PYTHON) scripts/run.py
test:       ## everything: linters, Rust, Python, TypeScript, browsers; ends with one summary line
	@exec $(PYTHON) scripts/test.py
check:      ## the linters and policies alone
	@exec $(PYTHON) scripts/check.py
format:     ## rewrite sources the way `make check` wants them
	@exec $(PYTHON) scripts/format.py
develop:    ## build the compiled core and the web application after a change
	@exec $(PYTHON) scripts/develop.py
wheel:      ## the release wheel, with the web app inside, in dist/
	@exec $(PYTHON) scripts/wheel.py
lock:       ## renew the lock files
	@exec $(PYTHON) scripts/lock.py
bootstrap:  ## install what the tests need, run nothing
	@exec $(PYTHON) scripts/bootstrap.py
hostile:    ## ten million hostile datagrams and minutes of fuzzing against this build
	@exec $(PYTHON) scripts/hostile.py
