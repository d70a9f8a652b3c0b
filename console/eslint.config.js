import js from '@eslint/js';
import tseslint from 'typescript-eslint';

const nodeGlobals = Object.fromEntries(
  ['process', 'console', 'URL', 'URLSearchParams', 'fetch', 'setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Buffer', 'AbortSignal', 'performance'].map(
    (name) => [name, 'readonly'],
  ),
);
const browserGlobals = Object.fromEntries(
  ['document', 'window', 'localStorage', 'Event', 'MouseEvent', 'getComputedStyle', 'requestAnimationFrame'].map((name) => [name, 'readonly']),
);

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'test-artifacts', 'dev/data'] },
  js.configs.recommended,
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [...tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: './tsconfig.json' } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'no-console': 'error',
    },
  },
  {
    // Scripts of the developer: node, with functions that playwright runs in the page.
    files: ['**/*.mjs', 'eslint.config.js'],
    languageOptions: { globals: { ...nodeGlobals, ...browserGlobals } },
  },
);
