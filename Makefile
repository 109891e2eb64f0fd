# SPDX-License-Identifier: MIT
# make            the program, build/egress-filter
# make demo       packages, build, a small offline internet, and the filter at work in it
# make test       everything that fits the budget; make test-long holds the rest
# make test-vm    the tests of attribution under other kernels: KERNELS="6.1 6.12" WAYS="cgroup"
# make bench      the filter beside others, figures; BENCH_QUICK=1 for three minutes
# make lint       format, static analysis, shell and manual page checks
# make deb        a Debian package, below build/deb
# V=1 shows the commands.

CC       ?= gcc
CLANG    ?= clang
BPFTOOL  ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
PREFIX   ?= /usr/local
DESTDIR  ?=
BUILD    ?= build
VERSION  := 0.1.0
# What bpf_tracing.h calls this machine; the objects of the other one are compiled too, by `bpf-other`.
BPF_ARCH := $(patsubst x86_64,x86,$(patsubst aarch64,arm64,$(shell uname -m)))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-8s %s\n' '$(1)' '$(2)')

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wwrite-strings -Wvla -Wformat=2 -Werror
HARDEN  := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
LDHARD  := -pie -Wl,-z,relro,-z,now
LIBS    := -lbpf -levent_core -lcrypto -ljansson -lidn2 -lpsl -lseccomp -lcap-ng -lmnl \
           -lnetfilter_queue -lyaml
CPPFLAGS += -D_GNU_SOURCE -DEGRESS_VERSION='"$(VERSION)"' -I. -Iproxy -I$(BUILD)
CFLAGS  ?= -O2 -g
ALL_CFLAGS = -std=c17 $(WARN) $(CFLAGS) -MMD -MP

SRC  := $(sort $(wildcard proxy/*.c proxy/*/*.c rules/*.c setup/*.c))
MAIN := proxy/main.c
BPF  := $(sort $(wildcard bpf/*.bpf.c))
SKEL := $(BPF:%.bpf.c=$(BUILD)/%.skel.h)
# The shipped rule sets, as a list of C strings.
PRESETS    := $(sort $(wildcard rules/presets/*.rules))
PRESET_INC := $(BUILD)/rules/presets.inc
# Where a function's arguments are differs by machine: neither way shall break unseen.
BPF_OTHER := $(BPF:%.bpf.c=$(BUILD)/%.$(filter-out $(BPF_ARCH),x86 arm64).o)

OBJ      := $(SRC:%.c=$(BUILD)/release/%.o)
# The sanitized objects are without main, for unit tests; the fuzzed ones are clang's.
ASAN_OBJ := $(filter-out $(BUILD)/asan/$(MAIN:.c=.o),$(SRC:%.c=$(BUILD)/asan/%.o))
# Fuzz targets link pure code only.
PURE     := $(sort $(wildcard rules/*.c proxy/base/*.c proxy/dns/wire*.c proxy/dns/names.c proxy/tls/*.c \
              proxy/intercept/packet_read.c proxy/session/first_bytes.c proxy/session/upgrade.c proxy/audit/record*.c proxy/audit/json.c proxy/audit/redact.c \
              proxy/attribution/process.c proxy/attribution/pack.c \
              proxy/review/workflow*.c proxy/review/event_*.c proxy/review/dump_rules.c \
              proxy/review/test_lines.c proxy/review/fmt_diff.c \
              proxy/review/diff_*.c proxy/review/witness.c proxy/review/explain_[a-z]*.c))
FUZZ_OBJ := $(PURE:%.c=$(BUILD)/fuzz/%.o)

UNIT := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZ := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
# Those that ask the kernel run in virtual machines too, where sanitizers would cost minutes.
PLAIN := $(patsubst tests/unit/%.c,$(BUILD)/plain/%,$(sort $(wildcard tests/unit/test_*_live.c tests/unit/test_hooks_*.c)))
TOOL := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(sort $(wildcard tests/tools/*.c)))
BENCH_MATCH := $(BUILD)/bench/bench_match
BENCH_HOOKS := $(BUILD)/bench/bench_hooks
BENCH_LOAD  := $(BUILD)/bench/load $(BUILD)/bench/origin
BENCH_ALONE := $(BENCH_MATCH) $(BENCH_HOOKS) $(BUILD)/bench/bench_owner $(BUILD)/bench/bench_record

BPF_FLAGS := -target bpf -mcpu=v3 -O2 -g -Wall -Werror -I.

SAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

.DELETE_ON_ERROR:
.PHONY: all demo test test-long test-vm plain bpf-other unit fuzz tools bench bench-programs bench-match bench-hooks lint format install uninstall deb clean packages guides
.SECONDARY:

all: $(BUILD)/egress-filter

$(BUILD)/egress-filter: $(OBJ)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDHARD) $(LDFLAGS) -o $@ $^ $(LIBS)

$(BUILD)/release/%.o: %.c | $(SKEL)
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(HARDEN) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/asan/%.o: %.c | $(SKEL)
	$(call say,CC san,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=c17 $(WARN) -O1 -g $(SAN) -MMD -MP -c -o $@ $<

$(BUILD)/fuzz/%.o: %.c
	$(call say,CC fuzz,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) -std=c17 -O1 -g $(SAN) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

$(BUILD)/asan/libegress.a: $(ASAN_OBJ)
	$(Q)rm -f $@; ar rcs $@ $^

$(BUILD)/fuzz/libpure.a: $(FUZZ_OBJ)
	$(Q)rm -f $@; ar rcs $@ $^

$(BUILD)/unit/%: tests/unit/%.c $(BUILD)/asan/libegress.a
	$(call say,UNIT,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests -std=c17 $(WARN) -O1 -g $(SAN) -MMD -MP -o $@ $< $(BUILD)/asan/libegress.a -lcmocka $(LIBS)

$(BUILD)/plain/libegress.a: $(filter-out $(BUILD)/release/$(MAIN:.c=.o),$(OBJ))
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $@; ar rcs $@ $^

$(BUILD)/plain/%: tests/unit/%.c $(BUILD)/plain/libegress.a
	$(call say,PLAIN,$@)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(HARDEN) $(ALL_CFLAGS) $(LDHARD) -o $@ $< $(BUILD)/plain/libegress.a -lcmocka $(LIBS)

$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/fuzz/libpure.a
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) -std=c17 -O1 -g $(SAN) -fsanitize=fuzzer -MMD -MP -o $@ $< $(BUILD)/fuzz/libpure.a -lidn2 -lpsl -lcrypto -ljansson -lyaml

# Small helpers of the tests (servers, clients, injectors): no project code in them.
$(BUILD)/tools/%: tests/tools/%.c
	$(call say,TOOL,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -std=c17 $(WARN) -O1 -g -MMD -MP -o $@ $< -lpthread $(TOOL_LIBS)

$(BUILD)/tools/bpf_load: TOOL_LIBS := -lbpf
$(BUILD)/tools/clock_shift: TOOL_LIBS := -shared -fPIC

# Measures the code as it is shipped, so it links release objects.
$(BENCH_MATCH): tests/bench/bench_match.c $(filter $(BUILD)/release/rules/% $(BUILD)/release/proxy/base/%,$(OBJ))
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(HARDEN) $(ALL_CFLAGS) $(LDHARD) -o $@ $(filter %.c %.o,$^) -lidn2 -lpsl

$(BUILD)/bench/%: tests/bench/%.c $(BUILD)/plain/libegress.a
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(HARDEN) $(ALL_CFLAGS) -Wno-unused-function $(LDHARD) -o $@ $< \
		$(BUILD)/plain/libegress.a -lcmocka $(LIBS)

# Client and origin, in which nothing is the project's.
$(BUILD)/bench/load: tests/bench/conn.c tests/bench/conn.h
$(BENCH_LOAD): $(BUILD)/bench/%: tests/bench/%.c
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Itests $(ALL_CFLAGS) -o $@ $(filter %.c,$^) -lssl -lcrypto

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -D__TARGET_ARCH_$(BPF_ARCH) -idirafter /usr/include/$(shell $(CC) -print-multiarch) -c -o $@ $<

# The other machine's, with the headers of its kernel.
$(BUILD)/bpf/%.arm64.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	$(call say,BPF arm64,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -D__TARGET_ARCH_arm64 -idirafter /usr/aarch64-linux-gnu/include -c -o $@ $<

$(BUILD)/bpf/%.x86.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	$(call say,BPF x86,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -D__TARGET_ARCH_x86 -idirafter /usr/x86_64-linux-gnu/include -c -o $@ $<

$(BUILD)/bpf/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(Q)$(BPFTOOL) gen skeleton $< name $(subst .,_,$*)_bpf > $@

$(PRESET_INC): $(PRESETS)
	$(Q)mkdir -p $(@D)
	$(Q)for file in $^; do \
		name=$${file##*/}; \
		printf '{"@%s",\n' "$${name%.rules}"; \
		sed -e 's/[\\"]/\\&/g' -e 's/.*/ "&\\n"/' "$$file"; \
		echo '},'; \
	done > $@

$(foreach kind,release asan fuzz,$(BUILD)/$(kind)/rules/presets.o): $(PRESET_INC)

unit: $(UNIT)
fuzz: $(FUZZ)
tools: $(TOOL)
plain: $(PLAIN)
bpf-other: $(BPF_OTHER)

# Figures only: nothing here passes or fails by the clock. Beside others that do a part of the work.
bench:
	$(Q)sh setup/packages.sh bench
	$(Q)$(MAKE) --no-print-directory all tools bench-programs
	$(Q)BUILD=$(BUILD) tests/bench/run

bench-programs: $(BENCH_LOAD) $(BENCH_ALONE)

bench-match: $(BENCH_MATCH)
	$(Q)$(BENCH_MATCH) $(BENCH_FLAGS)

# As root: in a cgroup and a network namespace of its own.
bench-hooks: $(BENCH_HOOKS)
	$(Q)$(BENCH_HOOKS) $(BENCH_FLAGS)

packages:
	$(Q)sh setup/packages.sh

# Two steps, so that the second make sees what the first installed.
demo: packages
	$(Q)$(MAKE) --no-print-directory all tools
	$(Q)BUILD=$(BUILD) tests/demo

test: packages
	$(Q)$(MAKE) --no-print-directory all unit fuzz tools plain bpf-other bench-programs
	$(Q)BUILD=$(BUILD) tests/run

# The page that a script makes (integration/first_hour looks whether it is still so).
guides: all
	$(Q)BUILD=$(BUILD) tests/first-hour > $(BUILD)/first-hour.md
	$(Q)cp $(BUILD)/first-hour.md docs/guides/first-hour.md

# By default the kernels and ways that tests/vm/run names.
test-vm: packages
	$(Q)$(MAKE) --no-print-directory all tools plain
	$(Q)BUILD=$(BUILD) tests/vm/run

test-long: packages
	$(Q)$(MAKE) --no-print-directory all unit fuzz tools plain bpf-other bench-programs
	$(Q)BUILD=$(BUILD) tests/run --long

# The generated headers are there for the analyser, which follows includes.
lint:
	$(Q)sh setup/packages.sh all
	$(Q)$(MAKE) --no-print-directory $(SKEL) $(PRESET_INC) deb
	$(Q)BUILD=$(BUILD) tests/lint

format:
	$(Q)clang-format -i $$(find bpf proxy rules setup tests -name '*.[ch]')

# What is installed, SOURCE:PLACE below PREFIX; zsh looks below /usr in a directory of its own.
MAN     := $(sort $(wildcard docs/*.[158]))
SHELLS  := bash zsh fish
ZSH_DIR ?= share/zsh/site-functions
DOC_DIR ?= share/doc/egress-filter
INSTALL := \
	$(BUILD)/completion/bash:share/bash-completion/completions/egress-filter \
	$(BUILD)/completion/zsh:$(ZSH_DIR)/_egress-filter \
	$(BUILD)/completion/fish:share/fish/vendor_completions.d/egress-filter.fish \
	editors/vim/syntax/egressrules.vim:share/vim/vimfiles/syntax/egressrules.vim \
	editors/vim/ftdetect/egressrules.vim:share/vim/vimfiles/ftdetect/egressrules.vim \
	$(foreach file,$(sort $(wildcard editors/textmate/*)),$(file):share/egress-filter/$(patsubst editors/%,%,$(file))) \
	$(foreach file,README.md $(sort $(wildcard docs/*.md docs/*/*.md)),$(file):$(DOC_DIR)/$(patsubst docs/%,%,$(file))) \
	$(foreach file,$(sort $(wildcard rules/examples/*)),$(file):$(DOC_DIR)/$(patsubst rules/%,%,$(file))) \
	$(foreach page,$(MAN),$(page):share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
installed = $(DESTDIR)$(PREFIX)/$(lastword $(subst :, ,$(1)))
places = $(sort $(dir $(foreach file,$(1),$(call installed,$(file)))))

$(BUILD)/completion/%: $(BUILD)/egress-filter
	$(Q)mkdir -p $(@D)
	$(Q)$< completion $* > $@

install: all $(SHELLS:%=$(BUILD)/completion/%)
	install -D -m 0755 $(BUILD)/egress-filter $(DESTDIR)$(PREFIX)/bin/egress-filter
	$(Q)$(foreach file,$(INSTALL),install -D -m 0644 $(firstword $(subst :, ,$(file))) $(call installed,$(file)) &&) true

# Of directories ours alone go; below DESTDIR all that were made on the way and are empty.
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/egress-filter
	$(Q)rm -f $(foreach file,$(INSTALL),$(call installed,$(file)))
	$(Q)$(if $(DESTDIR),[ ! -d $(DESTDIR) ] || { cd $(DESTDIR) && rmdir -p --ignore-fail-on-non-empty \
		$(patsubst $(DESTDIR)/%/,%,$(call places,$(INSTALL) :bin/egress-filter)) 2>/dev/null; true; },\
		rmdir $(foreach dir,$(call places,$(INSTALL)),$(if $(findstring /egress-filter/,$(dir)),$(dir))) \
		$(PREFIX)/share/egress-filter 2>/dev/null || true)

deb: all $(SHELLS:%=$(BUILD)/completion/%)
	$(Q)sh setup/deb.sh $(BUILD) $(VERSION)

clean:
	rm -rf $(BUILD)

-include $(OBJ:.o=.d) $(ASAN_OBJ:.o=.d) $(FUZZ_OBJ:.o=.d) $(UNIT:=.d) $(PLAIN:=.d) $(FUZZ:=.d) $(TOOL:=.d) $(BENCH_ALONE:=.d) $(BENCH_LOAD:=.d)
