.PHONY: help test race lint fmt fuzz

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-8s %s\n", $$1, $$2}' Makefile

test: ## run all tests
	go test ./...

race: ## run all tests under the race detector
	go test -race ./...

lint: ## vet, staticcheck, gofumpt
	go vet ./...
	go tool staticcheck ./...
	@test -z "$$(go tool gofumpt -l .)" || { go tool gofumpt -d .; exit 1; }

fmt: ## format the code
	go tool gofumpt -w .

FUZZTIME ?= 30s
fuzz: ## run every fuzz target for FUZZTIME (30s)
	@for pkg in $$(go list ./...); do \
	  for f in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz' || true); do \
	    go test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; done
