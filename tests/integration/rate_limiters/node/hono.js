// Hono with hono-rate-limiter, in the seventh draft of the RateLimit fields.
'use strict';

const { getRequestListener } = require('@hono/node-server');
const { Hono } = require('hono');
const { rateLimiter } = require('hono-rate-limiter');
const { front, page } = require('./site');

module.exports = async () => {
  const app = new Hono();
  app.get('/robots.txt', (context) => context.notFound());
  app.use(rateLimiter({ windowMs: 5000, limit: 20, standardHeaders: 'draft-7', keyGenerator: () => 'everyone' }));
  app.get('/', (context) => context.html(front));
  app.get('/page/:n', (context) => {
    const text = page(context.req.param('n'));
    return text ? context.html(text) : context.notFound();
  });
  return getRequestListener(app.fetch);
};
