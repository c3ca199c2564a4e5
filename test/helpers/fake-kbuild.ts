// SPDX-License-Identifier: GPL-2.0-only
import { mkdirSync } from 'node:fs';
import path from 'node:path';

import { git, makefile, write } from './fake-kernel.js';

/**
 * A kernel tree whose Makefile answers to the targets that enokey calls, with a Kconfig of a few symbols
 * (CHILD needs PARENT) and two sources that gcc really compiles. vmlinux is an ELF file with a build id.
 */
const RULES = `
ifneq ($(O),)
# As Kbuild does it: a folder in the source sees the source as "..".
SEEN := $(if $(filter $(CURDIR)/,$(dir $(O))),..,$(CURDIR))
.PHONY: FORCE
%: FORCE
	@mkdir -p $(O)/include/config
	@$(MAKE) --no-print-directory -C $(O) -f $(CURDIR)/Makefile S=$(SEEN) O= $@
FORCE:
Makefile: ;
else
tinyconfig:
	@echo 'CONFIG_TINY=y' > .config
olddefconfig:
	@sed -n 's/^config //p' $(S)/Kconfig > .symbols
	@cp .config .asked; : > .config
	@for s in $$(cat .symbols); do \\
	  line=$$(grep -E "^(CONFIG_$$s=|# CONFIG_$$s is not set)" .asked | tail -1); \\
	  if [ "$$s" = CHILD ] && ! grep -q '^CONFIG_PARENT=y' .asked; then line=; fi; \\
	  [ -z "$$line" ] || echo "$$line" >> .config; done
vmlinux: a.o b.o release
	@echo '  LD      vmlinux'
	@$(CC) -nostdlib -static -Wl,--build-id=sha1 -Wl,-e,start -o $@ a.o b.o
	@nm -n $@ > System.map
%.o: $(S)/%.c .config
	@echo '  CC      $@'
	@$(CC) $(KCFLAGS) -DRELEASE='"$(LOCALVERSION)"' -ffreestanding -fno-stack-protector -c -o $@ $<
release:
	@mkdir -p include/config
	@echo '$(VERSION).$(PATCHLEVEL).$(SUBLEVEL)$(LOCALVERSION)' > include/config/kernel.release
endif
`;

const KCONFIG = ['TINY', 'PARENT', 'CHILD', 'NUMBER', 'DEBUG']
  .map((name) => `config ${name}\n\tbool\n`)
  .join('\n');

/** Makes the tree as a git repository in `dir`. */
export function fakeKbuild(dir: string): string {
  mkdirSync(dir, { recursive: true });
  git(dir, 'init', '-q');
  write(dir, {
    Makefile: `${makefile('7.3.4')}${RULES}`,
    Kconfig: KCONFIG,
    'a.c': 'int b(void);\nint start(void) { return b(); }\n',
    'b.c': 'int b(void) { return 1; }\n',
  });
  commit(dir, 'Linux 7.3.4');
  return dir;
}

export function commit(dir: string, message: string): void {
  git(dir, 'add', '-A');
  git(dir, 'commit', '-q', '-m', message);
}

/** A folder with vm/kernel/ fragments that this tree honours, to stand for the shipped one. */
export function fakeFragments(dir: string): string {
  const fragments = {
    'machine.config': 'CONFIG_PARENT=y\n',
    'filesystems.config': 'CONFIG_CHILD=y\n',
    'userspace.config': 'CONFIG_NUMBER=8\n',
    'diagnostics.config': '# CONFIG_OTHER is not set\n',
    'debug.config': 'CONFIG_DEBUG=y\n',
  };
  write(path.join(dir, 'vm', 'kernel'), fragments);
  return dir;
}
