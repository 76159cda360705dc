# cairn: "make help" lists the targets. README.md says what a machine needs for which.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

WEB     := services/console/web
TRACKER := services/collector/tracker
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X github.com/cairnhq/cairn/services/cairn/internal/cli.version=$(VERSION)

# Packages without a goroutine: no race to detect there, and their long property tests run several times faster
# without the detector. Everything else is tested with it.
PURE := ./pkg/journey/... ./pkg/wire/... ./pkg/model/... ./pkg/enrich/... ./schemas/...

# Where the programs to compare with are, and how many events to compare over.
PEERS  ?= ../shared/peers
EVENTS ?= 1000000
# Profiles of the large state that "make bench" measures; 0 leaves it out. BENCH: more flags, as in BENCH="-only cost".
PROFILES ?= 2000000
BENCH    ?=

# Random cases of each property: in "make test" of the packages without a goroutine, and in "make nightly" of all.
CHECKS         ?= 500
NIGHTLY_CHECKS ?= 10000
# How long "make nightly" runs each fuzz target.
FUZZTIME ?= 1m
# How long "make nightly" torments the collector with requests of all kinds.
SOAK ?= 30m

# More flags for "go test", as in: make test GOTESTFLAGS='-run Late -v'
GOTESTFLAGS ?=
TIMEOUT     ?= 25m
SKIPS       := $(CURDIR)/bin/skipped-tests.txt

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/  \1\t\2/' | expand -t 14

.PHONY: deps
deps: ## fetch what building and testing need, each only if missing
	@deployments/local/deps

.PHONY: build
build: ## build bin/cairn
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '$(LDFLAGS)' -o bin/cairn ./services/cairn

# The engine that "up" and "demo" run. Costs nothing once it is there.
.PHONY: engine
engine:
	@go run ./deployments/local clickhouse

.PHONY: demo
demo: build engine ## run a shop's week through everything, print its journey map, check it
	bin/cairn demo

.PHONY: up
up: build engine ## run everything on this machine (make up DATA=DIR: with its data in DIR)
	bin/cairn up $(if $(DATA),--data '$(DATA)')

# Tests with the race detector need a C compiler; without one they run all the same, and say so.
RACE = $$(command -v gcc cc clang >/dev/null 2>&1 && echo -race)

.PHONY: test
test: deps ## run all tests, the race detector on where there are goroutines; lists what was skipped
	@mkdir -p bin && rm -f $(SKIPS)
	@[[ -n "$(RACE)" ]] || echo 'test: no C compiler, so the race detector stays off ("make deps" as root installs gcc)' >&2
	pure=$$(go list $(PURE) | paste -sd' ')
	others=$$(go list ./... | grep -vxF "$$(tr ' ' '\n' <<<"$$pure")" | paste -sd' ')
	status=0
	export CAIRN_TEST_SKIPS=$(SKIPS)
	RAPID_CHECKS=$(CHECKS) go test -timeout $(TIMEOUT) $(GOTESTFLAGS) $$pure || status=1
	go test -timeout $(TIMEOUT) $(RACE) $(GOTESTFLAGS) $$others || status=1
	echo 'simulation: the sessionizer on a simulated network, in simulated time'
	go test -timeout $(TIMEOUT) -tags synctests -run '^TestSimulation' $(GOTESTFLAGS) ./services/sessionizer || status=1
	if [[ -s $(SKIPS) ]]; then echo 'skipped tests:'; sed 's/^/  /' $(SKIPS); fi
	exit $$status

# What takes too long for every run: the properties on many more histories, each fuzz target for a while, and the
# collector under good, bad, slow and huge requests. A counterexample stays in testdata, where every later "make test"
# tries it again.
.PHONY: nightly
nightly: deps ## run the property tests on 10,000 cases each, each fuzz target for a minute, a soak of the collector for 30
	status=0
	for package in $$(go list -f '{{if .TestGoFiles}}{{.ImportPath}} {{.Dir}}{{else if .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}' ./... | tr ' ' ':'); do
		name=$${package%%:*} dir=$${package#*:}
		if grep -qs 'rapid\.Check' "$$dir"/*_test.go; then
			RAPID_CHECKS=$(NIGHTLY_CHECKS) go test -count 1 -timeout 2h $(GOTESTFLAGS) "$$name" || status=1
		fi
		for target in $$(grep -hos '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go | cut -d' ' -f2); do
			echo "fuzz $$name $$target"
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$name" || status=1
		done
	done
	echo 'soak: the collector, for $(SOAK)'
	CAIRN_SOAK=$(SOAK) go test -count 1 -timeout 3h -run '^TestSoak$$' -v $(GOTESTFLAGS) ./services/collector || status=1
	exit $$status

# Ten minutes on two cores. Kafka is needed; without the ClickHouse engine it runs without the sink, and says so. With
# the peers' generator in PEERS the records are that one's, else those of a generator of its own.
.PHONY: chaos
chaos: build ## torment sessionizers, Kafka and ClickHouse under load, compare with an oracle (make chaos SEED=N EVENTS=N PEERS=DIR)
	go run ./deployments/local kafka
	go run ./deployments/local clickhouse || true
	go build -o bin/chaos ./deployments/local/chaos
	exec bin/chaos -cairn bin/cairn -peers '$(PEERS)' -events $(EVENTS) $(if $(SEED),-seed $(SEED))

.PHONY: check
check: $(WEB)/node_modules/.package-lock.json $(TRACKER)/node_modules/.package-lock.json ## lint (format, vet and staticcheck are in it), tidy go.mod, the types of page and tracker, generated files up to date
	@echo 'lint'; deployments/local/golangci-lint run
	echo 'go.mod'; go mod tidy -diff
	echo 'web'; npm --prefix $(WEB) run --silent check
	echo 'tracker'; npm --prefix $(TRACKER) run --silent check
	echo 'generated files'; deployments/local/generated-clean

.PHONY: lint
lint: ## run golangci-lint alone; other arguments: deployments/local/golangci-lint fmt, run --fix ...
	@deployments/local/golangci-lint run

.PHONY: generate
generate: $(WEB)/node_modules/.package-lock.json $(TRACKER)/node_modules/.package-lock.json ## make the generated files anew: Protobuf code, the data dictionary, the web page, the tracker
	go run ./schemas/proto/gen cairn/v1/records.proto cairn/v1/state.proto
	go run ./schemas/clickhouse/dictionary docs/data-dictionary.md
	npm --prefix $(WEB) run --silent build
	npm --prefix $(TRACKER) run --silent build

$(WEB)/node_modules/.package-lock.json: $(WEB)/package-lock.json
	npm --prefix $(WEB) ci --no-audit --no-fund

$(TRACKER)/node_modules/.package-lock.json: $(TRACKER)/package-lock.json
	npm --prefix $(TRACKER) ci --no-audit --no-fund

.PHONY: bench
bench: build engine ## print start time, idle memory, and throughput beside the peers (make bench PEERS=DIR EVENTS=N)
	deployments/local/footprint bin/cairn
	go run ./deployments/local/bench -cairn bin/cairn -peers '$(PEERS)' -events $(EVENTS) -profiles $(PROFILES) $(BENCH)

.PHONY: clean
clean: ## remove what the other targets made here; the engines in the user's cache folder stay
	rm -rf bin coverage $(WEB)/node_modules $(TRACKER)/node_modules services/collector/testdata/node/node_modules services/cairn/e2e/testdata/clients/node_modules

# Each recipe is one shell script.
.ONESHELL:
