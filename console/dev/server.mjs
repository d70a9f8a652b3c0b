// Serves the built console as the binary does (base address, policy, fall-back to index.html), passes /api/v1 on to a
// Prometheus and answers /api/streamflow from made-up content.

import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { reportPage } from './resources.mjs';

export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-src 'self'; font-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
const TYPES = { '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.html': 'text/html; charset=utf-8' };

/** A server of the console below `prefix` (`/` or `/team/streamflow/`). */
export function consoleServer({ dist, prometheus, resources, prefix = '/' }) {
  return createServer((request, response) => {
    const url = new URL(request.url, 'http://localhost');
    if (!url.pathname.startsWith(prefix)) return plain(response, 404, 'not found');
    const path = url.pathname.slice(prefix.length);
    if (path.startsWith('api/v1/')) return pass(request, response, new URL(`/${path}${url.search}`, prometheus));
    if (path.startsWith('api/streamflow/')) return own(request, response, resources, path.slice('api/streamflow/'.length) + (request.method === 'GET' ? url.search : ''));
    if (path.startsWith('reports/')) return page(response, reportPage(path.slice(8).replace('.html', '')), "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'");
    const file = join(dist, normalize(`/${path}`));
    if (path !== '' && path !== 'index.html' && extname(file) && existsSync(file)) {
      const cache = path.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
      response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', 'Cache-Control': cache, 'X-Content-Type-Options': 'nosniff' });
      return createReadStream(file).pipe(response);
    }
    if (path.startsWith('assets/')) return plain(response, 404, 'not found');
    return page(response, readFileSync(join(dist, 'index.html'), 'utf8').replace('<head>', `<head><base href="${prefix}">`), POLICY);
  });
}

function page(response, html, policy) {
  response.writeHead(200, { 'Content-Type': TYPES['.html'], 'Cache-Control': 'no-cache', 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'same-origin' });
  response.end(html);
}

function plain(response, status, text) {
  response.writeHead(status, { 'Content-Type': 'text/plain' });
  response.end(text);
}

function pass(request, response, target) {
  const headers = { ...request.headers, host: target.host };
  const onward = httpRequest(target, { method: request.method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => plain(response, 502, 'Prometheus does not answer'));
  request.pipe(onward);
}

async function own(request, response, resources, path) {
  let text = '';
  for await (const part of request) text += part;
  const [status, body] = resources.answer(request.method, path, text ? JSON.parse(text) : {}, request.headers['x-streamflow-token']);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
  response.end(JSON.stringify(body));
}
