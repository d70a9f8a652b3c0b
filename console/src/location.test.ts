import { expect, test } from 'vitest';
import { hrefOf, placeOf } from './location';

test.each([
  ['http://h/', 'http://h/', ''],
  ['http://h/graph?g0.expr=up', 'http://h/', 'graph'],
  ['http://h/team/sf/runs/7', 'http://h/team/sf/', 'runs/7'],
  ['http://h/team/sf/', 'http://h/team/sf/', ''],
  ['http://h/drift/a%20b/', 'http://h/', 'drift/a b'],
])('%s below %s is the path %s', (href, base, path) => expect(placeOf(href, base).path).toBe(path));

test('parameters are kept', () => expect(placeOf('http://h/?from=now-1h', 'http://h/').parameters.get('from')).toBe('now-1h'));

test.each([
  ['', undefined, './'],
  ['', { from: 'now-1h' }, './?from=now-1h'],
  ['runs/7', undefined, 'runs/7'],
  ['drift/a b', undefined, 'drift/a%20b'],
])('the address of %s with %o is %s', (path, parameters, href) => expect(hrefOf(path, parameters)).toBe(href));
