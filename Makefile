.PHONY: help test race lint conformance simulate crash e2e-local bench fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-11s %s\n", $$1, $$2}' Makefile

MODULES = hydrantprom hydrantotel bench cdk
test: ## run all tests
	go test ./...
	@for m in $(MODULES); do (cd $$m && go test ./...) || exit 1; done

race: ## run all tests under the race detector
	go test -race ./...

lint: ## vet, staticcheck, gofumpt; "go tool gofumpt -w ." formats
	go vet ./...
	@for m in $(MODULES); do (cd $$m && go vet ./...) || exit 1; done
	go tool staticcheck ./...
	@test -z "$$(go tool gofumpt -l .)" || { go tool gofumpt -d .; exit 1; }

conformance: ## run AWS's known answers against the local Firehose and moto, by the SDK for Go and boto3, into docs/CONFORMANCE.md
	go run ./server/conformance/score

SEEDS ?= 10000
simulate: ## run the producer against SEEDS (10000) random troubles
	go test -run TestSimulation -timeout 1h . -seeds $(SEEDS)

KILLS ?= 200
crash: ## attack hydrant local, kill it 10 times, hydrant send --spool KILLS (200) times and hydrant tail 50 times while logrotate is at work, and look for what is lost
	go run ./internal/soak hostile -kills 10
	go run ./internal/soak local -kills 10
	go run ./internal/soak crash -kills $(KILLS)
	go run ./internal/soak rotate -kills 50

e2e-local: ## deploy to hydrant local by the CDK, by hydrant and by the AWS CLI, use the stack, and remove it
	npm ci --no-audit --no-fund --prefix cdk
	go test -count=1 -v -run TestDeployments ./cmd/hydrant -e2e

BENCHFLAGS ?=
bench: ## measure the producer beside the floor and others, into docs/PERFORMANCE.md
	cd bench && go run . -report ../docs $(BENCHFLAGS)

FUZZTIME ?= 30s
fuzz: ## run every fuzz target for FUZZTIME (30s)
	@for pkg in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; done
