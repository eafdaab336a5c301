// Express with express-rate-limit, express-slow-down or rate-limiter-flexible, by mode.
'use strict';

const express = require('express');
const { rateLimit } = require('express-rate-limit');
const { slowDown } = require('express-slow-down');
const { RateLimiterMemory } = require('rate-limiter-flexible');
const { front, page } = require('./site');

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
  'slow-down': () => [slowDown({ windowMs: 5000, delayAfter: 20, delayMs: () => 500 })],
  flexible: () => [flexible(20, 5)],
  two: () => [limit(20, 5, draft('draft-8')), limit(60, 50, draft('draft-8'))],
};

const site = async (mode) => {
  const app = express();
  app.disable('x-powered-by');
  app.get('/robots.txt', (request, response) => response.sendStatus(404));
  for (const limiter of limiters[mode]()) app.use(limiter);
  app.get('/', (request, response) => response.send(front));
  app.get('/page/:n', (request, response, next) => {
    const text = page(request.params.n);
    return text ? response.send(text) : next();
  });
  return app;
};

module.exports = Object.fromEntries(Object.keys(limiters).map((mode) => [mode, () => site(mode)]));
