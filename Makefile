# SPDX-License-Identifier: Apache-2.0
# Two commands: `make demo` and `make test`.  Meson does the building; see HACKING.md.
.POSIX:
BUILD = build
ARGS =
SECONDS = 60
RUNS = 10000
FROM = 1000

.PHONY: all demo test deps deps-test build install bench fuzz sim sim-plants clean
all: build

demo: build
	@test/demo $(ARGS)

test: deps-test
	@tools/test $(ARGS)

deps:
	@tools/deps build

deps-test:
	@tools/deps test

build: deps
	@test -f $(BUILD)/build.ninja || out=$$(meson setup $(BUILD) -Dtests=disabled) || { echo "$$out"; exit 1; }
	@out=$$(ninja --quiet -C $(BUILD)) || { echo "$$out"; exit 1; }

install: build
	@meson install --quiet --no-rebuild -C $(BUILD)

bench: build deps-test
	@test/bench/run $(ARGS)

fuzz: deps-test
	@tools/test --fuzz $(SECONDS) $(ARGS)

sim: deps-test
	@test -f $(BUILD)-sim/build.ninja || out=$$(meson setup $(BUILD)-sim -Dbuildtype=debugoptimized) || { echo "$$out"; exit 1; }
	@out=$$(ninja --quiet -C $(BUILD)-sim test/sim/sim) || { echo "$$out"; exit 1; }
	@$(BUILD)-sim/test/sim/sim --from $(FROM) --runs $(RUNS) $(ARGS)

sim-plants: deps-test
	@test/sim/plants $(ARGS)

clean:
	rm -rf $(BUILD) $(BUILD)-*
