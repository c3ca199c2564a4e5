// SPDX-License-Identifier: GPL-2.0-only
import { describe, expect, it } from 'vitest';

import { debianArchive, parseDeb822, parseOneLine, withSuites } from '../../../src/system/apt-sources.js';

const DEB822 = `# comment
Types: deb deb-src
URIs: http://mirror.invalid/debian
Suites: bookworm
 bookworm-updates
Components: main
# another
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.invalid/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: http://off.invalid/debian
Suites: bookworm
Components: main
`;

const ONE_LINE = `# deb http://no.invalid/debian bookworm main
deb [signed-by=/etc/apt/keyrings/vendor.gpg] https://vendor.invalid/stable/debian bookworm main
deb-src http://mirror.invalid/debian bookworm main
deb cdrom:[Debian]/ bookworm main
deb [arch=amd64,i386 trusted=yes] http://mirror.invalid/debian bookworm main contrib # tail
deb http://security.invalid/debian-security bookworm-security main
`;

describe("a host's apt sources", () => {
  it('in deb822 give the archive, not security and not what is off', () => {
    const sources = parseDeb822(DEB822);
    expect(sources).toHaveLength(2);
    expect(debianArchive(sources)).toMatchObject({
      uris: ['http://mirror.invalid/debian'],
      suites: ['bookworm', 'bookworm-updates'],
    });
  });

  it('in the one-line format give the archive, not a vendor with the same suite', () => {
    const found = debianArchive(parseOneLine(ONE_LINE));
    expect(found).toMatchObject({
      uris: ['http://mirror.invalid/debian'],
      components: ['main', 'contrib'],
      options: { trusted: 'yes' },
    });
  });

  it('keep mirror and trust when the suite changes', () => {
    const [source] = parseDeb822(DEB822);
    expect(source && withSuites(source, ['trixie-backports'])).toBe(
      'Types: deb\nURIs: http://mirror.invalid/debian\nSuites: trixie-backports\nComponents: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n',
    );
  });

  it('without Debian give nothing', () => {
    expect(debianArchive(parseOneLine('deb http://mirror.invalid/ubuntu noble main\n'))).toBeUndefined();
    expect(
      debianArchive(parseOneLine('deb [signed-by=/x.gpg] https://vendor.invalid/debian stable main\n')),
    ).toBeUndefined();
  });
});
