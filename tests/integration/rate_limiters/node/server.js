// A site of a hundred pages behind express-rate-limit or rate-limiter-flexible: node server.js FD MODE
//
// FD is a listening socket, MODE one of the keys of `limiters`. Every response is logged as a line of JSON on standard
// output. robots.txt is served before the limiter, as static files usually are if an application is limited.
'use strict';

const fs = require('node:fs');
const express = require('express');
const { rateLimit } = require('express-rate-limit');
const { RateLimiterMemory } = require('rate-limiter-flexible');

const [fd, mode] = process.argv.slice(2);
const PAGES = 100;

const limit = (count, seconds, headers) => rateLimit({ windowMs: seconds * 1000, limit: count, ...headers });
const draft = (version) => ({ standardHeaders: version, legacyHeaders: false });
// As in the manual of rate-limiter-flexible: the reset is the text of a JavaScript date.
const flexible = (count, seconds) => {
  const limiter = new RateLimiterMemory({ points: count, duration: seconds });
  const say = (response, { msBeforeNext, remainingPoints }) => response.set({
    'Retry-After': msBeforeNext / 1000,
    'X-RateLimit-Limit': count,
    'X-RateLimit-Remaining': remainingPoints,
    'X-RateLimit-Reset': new Date(Date.now() + msBeforeNext).toString(),
  });
  return (request, response, next) => limiter.consume(request.ip)
    .then((state) => { say(response, state); next(); })
    .catch((state) => say(response, state).sendStatus(429));
};

const limiters = {
  legacy: () => [limit(20, 5, { standardHeaders: false, legacyHeaders: true })],
  'draft-6': () => [limit(20, 5, draft('draft-6'))],
  'draft-7': () => [limit(20, 5, draft('draft-7'))],
  'draft-8': () => [limit(20, 5, draft('draft-8'))],
  silent: () => [limit(20, 5, { standardHeaders: false, legacyHeaders: false })],
  flexible: () => [flexible(20, 5)],
  two: () => [limit(20, 5, draft('draft-8')), limit(60, 50, draft('draft-8'))],
};

const html = (title, body) => `<!doctype html><title>${title}</title>${body}\n`;
const links = [...Array(PAGES).keys()].map((n) => `<a href="/page/${n}">${n}</a>`).join('\n');

const app = express();
app.disable('x-powered-by');
app.use((request, response, next) => {
  const began = Date.now();
  response.on('finish', () => {
    const ended = Date.now();
    const hit = { ended: ended / 1000, took: (ended - began) / 1000, uri: request.originalUrl, status: response.statusCode };
    fs.writeSync(1, `${JSON.stringify(hit)}\n`);
  });
  next();
});
app.get('/robots.txt', (request, response) => response.sendStatus(404));
for (const limiter of limiters[mode]()) app.use(limiter);
app.get('/', (request, response) => response.send(html('Front', links)));
app.get('/page/:n', (request, response, next) => {
  const n = Number(request.params.n);
  if (!(Number.isInteger(n) && n >= 0 && n < PAGES)) return next();
  return response.send(html(`Page ${n}`, `<p>This is page ${n}.</p>`));
});
app.listen({ fd: Number(fd) });
process.on('SIGTERM', () => process.exit(0)); // not before the log lines of the responses
