// SPDX-License-Identifier: GPL-2.0-only

/** Every source file names its licence in its first two lines (a shebang may stand before it). */
const spdx = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { missing: 'the file must begin with "SPDX-License-Identifier: GPL-2.0-only"' },
  },
  create(context) {
    return {
      Program(node) {
        const head = context.sourceCode.text.split('\n', 2).join('\n');
        if (!head.includes('SPDX-License-Identifier: GPL-2.0-only'))
          context.report({ node, messageId: 'missing' });
      },
    };
  },
};

export default { rules: { spdx } };
