# The commands of README.md. Everything can be overridden: make reproduce SUITE=paper DATA_DIR=downloads JOBS=4

CARGO ?= cargo
SUITE ?= quick
OUT ?= reports
DATA_DIR ?=
JOBS ?=
FETCH ?=
PEERS ?=

DIN_REPRO = $(CARGO) run --release --locked --quiet -p ctr-runner --bin din-repro --

.PHONY: reproduce test lint docs dependencies deny unit smoke page bench peers interop cluster mpi clean-reports

## Build, prepare, train the suite, write $(OUT)/index.html. FETCH="amazon-electronics …" downloads first.
reproduce:
	$(CARGO) build --release --locked -p ctr-runner
	$(foreach dataset,$(FETCH),$(DIN_REPRO) fetch $(dataset)${\n})
	$(DIN_REPRO) reproduce --suite $(SUITE) --out $(OUT) \
		$(if $(DATA_DIR),--data-dir "$(DATA_DIR)") $(if $(JOBS),--jobs $(JOBS))

## Everything that CI runs.
test: lint dependencies docs smoke unit

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

## Data flows one way: who may depend on whom.
dependencies:
	scripts/check-dependencies.sh

## Licenses, sources and versions of what we depend on; known vulnerabilities where their list can be had.
## Needs `cargo install cargo-deny`.
deny:
	$(CARGO) deny --locked check licenses bans sources
	if $(CARGO) deny --locked fetch db; then $(CARGO) deny --locked check --disable-fetch advisories; \
		else echo "vulnerabilities: not checked, their list cannot be had"; fi

docs:
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked

## All seven models on the smallest simulation, from nothing to the report.
smoke:
	rm -rf target/smoke
	$(CARGO) build --release --locked -p ctr-runner
	$(DIN_REPRO) reproduce --suite smoke --out target/smoke/reports --prepared target/smoke/prepared
	test -s target/smoke/reports/index.html
	test -s target/smoke/reports/table3.md
	test -s target/smoke/reports/learning_curves.png

## The smoke suite's page in headless Chromium. Needs `make smoke` before, Node.js, npm and Chromium.
page:
	scripts/page/check target/smoke/reports

unit:
	$(CARGO) test --release --workspace --locked

bench:
	$(CARGO) bench --locked -p ctr-nn -p ctr-train -p ctr-metrics -p ctr-dataset-prep

## Against PyTorch and DeepCTR-Torch: the same logits, then throughput; gAUC against pandas; into
## reports/peers.md. Needs Python and PyPI. PEERS="--rounds 1 --only din-train" for less.
peers:
	scripts/peers/run $(PEERS)

## Against other programs: exported models in onnxruntime, event files in TensorBoard. Needs Python and PyPI.
interop:
	scripts/onnx/check
	scripts/tensorboard/check

## Slurm itself on loopback (root, Debian's slurm-wlm, munge, procps); the Kubernetes manifest by its schemas (Python, PyPI).
cluster:
	scripts/slurm/check
	scripts/kubernetes/check

## Runs on several processes against one. Needs Open MPI and libclang (Debian: openmpi-bin libopenmpi-dev libclang-dev).
mpi:
	$(CARGO) clippy --workspace --all-targets --features ctr-runner/mpi --locked -- -D warnings
	scripts/mpi/check

clean-reports:
	rm -rf reports/runs reports/*.html reports/*.md reports/*.csv reports/*.tex reports/*.json reports/*.png reports/*.svg

# A newline, so that foreach makes one command a dataset.
define \n


endef
