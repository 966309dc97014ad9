# What CI runs, by name. The product itself needs only Go: `go test ./...`.
.PHONY: check test lint generate plugins wat fuzz crash simulate swaps bench bench-short bench-guard bench-guests

LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
BUF = go run github.com/bufbuild/buf/cmd/buf@v1.75.0
FUZZTIME ?= 5s
ROUNDS ?= 300
WORLDS ?= 5000
SOAK ?= 10m
SWAPS ?= 10000

# check is all of CI.
check:
	bash .ci/run

test:
	go test ./...

lint:
	test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	$(LINT) run
	cd bench && $(LINT) run

# generate makes the Go code of the .proto files.
generate:
	$(BUF) generate

# plugins builds the plugins that the binary carries. The same Go version makes
# the same bytes.
plugins:
	CGO_ENABLED=0 GOOS=wasip1 GOARCH=wasm go build -C plugins/upcase -buildmode=c-shared -trimpath -buildvcs=false -ldflags='-s -w' -o upcase.wasm .

# wat makes the .wasm beside every .wat. It needs npm, and nothing else does.
wat:
	bash .ci/wat

# fuzz runs every fuzz target for FUZZTIME.
fuzz:
	bash .ci/fuzz $(FUZZTIME)

# crash kills a host ROUNDS times in each mode, under load.
crash:
	go test ./cmd/relayhost -run TestCrash -v -timeout 3h -crash.rounds $(ROUNDS)

# simulate runs WORLDS worlds in virtual time.
simulate:
	go test ./host -run TestSimulation -timeout 3h -simulations $(WORLDS)

# bench measures all that docs/performance tells, and writes its results there; the
# memory is watched for SOAK.
bench:
	cd bench && go run . -out ../docs/performance -soak $(SOAK)

# bench-short runs each benchmark once, to see that it does.
bench-short:
	cd bench && go run . -short

# bench-guard fails if handling a message has become slower beside its peers.
bench-guard:
	cd bench && go run ./guard

# bench-guests builds the benchmarks' guests of their C sources, with clang and lld.
GUEST = clang --target=wasm32 -O3 -nostdlib -ffreestanding -fno-builtin -Wall -Wextra \
	-Wl,--no-entry -Wl,--strip-all -Wl,-z,stack-size=16384
bench-guests:
	$(GUEST) -o bench/guests/upcase.wasm bench/guests/c/upcase.c
	$(GUEST) -o bench/guests/extism.wasm bench/guests/c/extism.c

# swaps changes a plugin SWAPS times under load.
swaps:
	go test ./host -run 'TestSwaps$$' -v -timeout 3h -swaps $(SWAPS)
