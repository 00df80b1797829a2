# What people and CI run. Everything that is built is cached under ~/.cache/exeat by version.

.DEFAULT_GOAL := help
.PHONY: help demo demo-down test check e2e images cluster cluster-down fuzz-smoke bench soak

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## A cluster, the chart, an agent, its refusals, the audit, the alert (KUBECONFIG: in your cluster)
	@e2e/demo

demo-down: ## Remove everything that the demo made
	@e2e/demo --down

test: ## Everything that CI runs: check, fuzz-smoke, then the cases on a cluster
	@e2e/test

check: ## Without a cluster: format, lints, unit tests, examples, chart, licences
	@e2e/test check

e2e: ## The cases on a cluster (KUBECONFIG, else a test cluster of their own)
	@e2e/test cluster

fuzz-smoke: ## Every fuzz target for a few seconds
	@e2e/test fuzz

soak: ## What takes too long for CI: fuzz of the scanner, large and slow transfers of real clients
	@e2e/test soak

bench: ## Exeat beside other proxies, and the cost of a decision (docs/benchmarks.md)
	@cargo bench -p exeat-policy --bench decide -- --quick
	@bench/run --criterion "$${CARGO_TARGET_DIR:-$(CURDIR)/target}/criterion"

images: ## Build the images, and load them into the test cluster when it is up
	@e2e/images/build --clients

cluster: ## Start the test cluster
	@e2e/cluster/cluster up

cluster-down: ## Stop it and put everything back
	@e2e/cluster/cluster down
