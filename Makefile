# SPDX-License-Identifier: PostgreSQL
# opportunity_fdw: build, install and test with PGXS.
#
# - make && sudo make install: needs pg_config, libcurl and jansson
# - make installcheck: runs the regression tests on the server at PGHOST and PGPORT
# - make check-fast: builds, and runs five regression tests on a throwaway server
# - make check-most: runs all regression tests and ten TAP tests
# - make check-all: runs all tests with scripts/test
# - make localcheck: runs all regression tests on a throwaway server
# - make prove: runs all TAP tests on throwaway servers
# - make format: formats the C sources with clang-format
# - make lint: runs scripts/lint
# - make coverage: reports the lines that the tests run
# - make dist: packs the committed tree as NAME-VERSION.zip for PGXN
#
# COPT=-Werror turns warnings into errors, as the tests do.

EXTENSION = opportunity_fdw
MODULE_big = opportunity_fdw
DATA = $(sort $(wildcard $(EXTENSION)--*.sql))
PGFILEDESC = "opportunity_fdw - opportunities of the Reevo CRM as a foreign table"

# The folders of src/, the lowest first. A file includes files of its own folder and
# of lower folders: see CONTRIBUTING.md.
FOLDERS = base json http option api fetch condition plan exec admin

SOURCES = opportunity_fdw.c $(foreach folder,$(FOLDERS),$(sort $(wildcard src/$(folder)/*.c)))
OBJS = $(SOURCES:.c=.o)

REGRESS = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS = --encoding=UTF8 --no-locale
EXTRA_CLEAN = tmp_check

# The tests of check-fast and check-most.
FAST_REGRESS = import options record explain attributes
MOST_PROVE = 002_errors 003_secrets 004_privileges 005_sessions 010_faults 022_raw_answers 052_append 061_check 063_stats 064_progress

# --- libcurl and jansson ---
#
# pkg-config finds them, or else curl-config finds libcurl. Set CURL_LIBS and
# CURL_CFLAGS to build with another libcurl.

PKG_CONFIG ?= pkg-config
CURL_CONFIG ?= curl-config

# Targets that compile nothing do not need them.
ifneq ($(filter-out installcheck clean distclean dist format check-format lint coverage,$(or $(MAKECMDGOALS),all)),)

ifndef CURL_LIBS
CURL_LIBS := $(shell $(PKG_CONFIG) --libs 'libcurl >= 7.76' 2>/dev/null)
ifneq ($(CURL_LIBS),)
CURL_CFLAGS := $(shell $(PKG_CONFIG) --cflags libcurl)
else
CURL_LIBS := $(shell $(CURL_CONFIG) --checkfor 7.76.0 >/dev/null 2>&1 && $(CURL_CONFIG) --libs)
CURL_CFLAGS := $(shell $(CURL_CONFIG) --cflags 2>/dev/null)
endif
endif
ifeq ($(CURL_LIBS),)
$(error libcurl 7.76 or later was not found; on Debian: apt-get install libcurl4-openssl-dev pkg-config)
endif

JANSSON_LIBS := $(shell $(PKG_CONFIG) --libs 'jansson >= 2.13' 2>/dev/null)
ifeq ($(JANSSON_LIBS),)
$(error jansson 2.13 or later was not found; on Debian: apt-get install libjansson-dev pkg-config)
endif

endif

SHLIB_LINK = $(CURL_LIBS) $(JANSSON_LIBS)

# Before PostgreSQL 16, PGXS does not hide the symbols of a module.
SHLIB_EXPORTS = exports.txt

# PostgreSQL's headers cause warnings with -Wextra, so they count as system headers.
PG_CONFIG ?= pg_config
PG_CFLAGS = -Wall -Wextra
PG_CPPFLAGS = -I$(srcdir)/src -isystem $(shell $(PG_CONFIG) --includedir-server 2>/dev/null) \
	$(CURL_CFLAGS) $(shell $(PKG_CONFIG) --cflags jansson 2>/dev/null)

PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(PGXS),)
$(error $(PG_CONFIG) was not found; on Debian: apt-get install postgresql-server-dev-all, or set PG_CONFIG)
endif
include $(PGXS)

$(OBJS): $(wildcard src/*/*.h)

# test/with-simulator runs a simulator of the API during the tests.
pg_regress_installcheck = test/with-simulator \
	$(top_builddir)/src/test/regress/pg_regress \
	--inputdir=$(srcdir) --bindir='$(bindir)' $(EXTRA_REGRESS_OPTS)

.PHONY: check-fast check-most check-all localcheck prove dist format check-format lint coverage

# scripts/check builds first.
check-fast:
	scripts/check regress $(FAST_REGRESS)

check-most:
	scripts/check regress
	scripts/check prove $(MOST_PROVE)

check-all:
	scripts/test

localcheck:
	scripts/check regress

prove:
	scripts/check prove

# PGXN requires the three numbers of META.json's version.
DISTRIBUTION = $(EXTENSION)-$(shell sed -n 's/^   "version": "\(.*\)",$$/\1/p' META.json)

dist:
	git archive --format=zip --prefix=$(DISTRIBUTION)/ --output=$(DISTRIBUTION).zip HEAD

C_SOURCES = $(wildcard *.c src/*/*.[ch] test/fuzz/*.c test/fuzz/shim/*.[ch] test/inject/*.c bench/*.[ch])

format:
	clang-format -i $(C_SOURCES)

check-format:
	clang-format --dry-run -Werror $(C_SOURCES)

lint:
	scripts/lint

coverage:
	scripts/test --coverage
