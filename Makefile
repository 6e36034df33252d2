# A thin front for Meson. `make` builds build/allm; `make demo` shows it at work; `make test` tests it.
# Each sets up what is missing first (tools/setup.sh).

BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
PYTHON ?= /usr/bin/python3

.PHONY: all setup demo test unit api check oracle bench tsan fuzz fuzz-smoke install clean format
all: $(BUILD)/build.ninja
	@meson compile -C $(BUILD) >$(BUILD)/compile.log 2>&1 || { cat $(BUILD)/compile.log; exit 1; }

setup:
	@tools/setup.sh build

$(BUILD)/build.ninja: | setup
	@meson setup $(BUILD) --prefix=$(PREFIX) >/dev/null || meson setup $(BUILD) --prefix=$(PREFIX)

demo: all
	@tools/demo.sh $(BUILD)

# The sanitizer build, so that unit and API tests run under ASan and UBSan.
build-asan/build.ninja:
	@tools/setup.sh test
	@meson setup build-asan -Db_sanitize=address,undefined -Dbuildtype=debugoptimized -Db_lundef=false >/dev/null

test: build-asan/build.ninja
	@tools/test.sh build-asan

check:
	@tools/setup.sh test
	@tools/check.sh

# Libraries that were not built with it (libgomp's barriers) look like races to ThreadSanitizer: it leaves them alone.
tsan:
	@tools/setup.sh test
	@test -f build-tsan/build.ninja || meson setup build-tsan -Db_sanitize=thread -Dbuildtype=debugoptimized -Db_lundef=false >/dev/null
	@TSAN_OPTIONS="ignore_noninstrumented_modules=1 $$TSAN_OPTIONS" meson test -C build-tsan --suite unit --print-errorlogs

oracle: all
	@tools/setup.sh oracle
	@tests/oracle/run.sh $(BUILD)

bench: all
	@tools/setup.sh oracle
	@bench/run.sh $(BUILD)

# fuzz-smoke: a minute for all targets together, beginning with the committed seeds.
fuzz fuzz-smoke:
	@tools/setup.sh test
	@SECONDS_EACH=$(if $(filter fuzz-smoke,$@),4,$${SECONDS_EACH:-60}) tools/fuzz.sh

format:
	@git ls-files '*.c' '*.h' | xargs clang-format-22 -i

# A build directory keeps the prefix it was set up with, so another one has to be told.
install: all
	@meson introspect $(BUILD) --buildoptions | grep '"name": "prefix", "value": "$(PREFIX)"' >/dev/null || \
	  meson setup --reconfigure $(BUILD) --prefix=$(PREFIX) >/dev/null
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild

clean:
	rm -rf build build-asan build-tsan build-check-* build-fuzz
