// A site of a hundred pages behind a limiter of npm: node server.js FD MODE
//
// FD is a listening socket, MODE a key of `sites`. robots.txt is served before the limiter, as static files usually are
// if an application is limited.
'use strict';

const { serve } = require('./site');

const sites = {
  ...require('./express'),
  fastify: require('./fastify'),
  hono: require('./hono'),
  koa: require('./koa'),
};

const [fd, mode] = process.argv.slice(2);
sites[mode]().then((handler) => serve(handler, Number(fd)));
