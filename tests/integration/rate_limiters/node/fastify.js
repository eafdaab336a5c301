// Fastify with @fastify/rate-limit: X-RateLimit-Reset has the seconds that are left.
'use strict';

const fastify = require('fastify');
const limiter = require('@fastify/rate-limit');
const { front, page } = require('./site');

module.exports = async () => {
  const app = fastify();
  await app.register(limiter, { max: 20, timeWindow: 5000 });
  app.get('/robots.txt', { config: { rateLimit: false } }, (request, reply) => reply.code(404).send());
  app.get('/', (request, reply) => reply.type('text/html').send(front));
  app.get('/page/:n', (request, reply) => {
    const text = page(request.params.n);
    return text ? reply.type('text/html').send(text) : reply.code(404).send();
  });
  await app.ready();
  return app.routing;
};
