// Koa with koa-ratelimit: X-RateLimit-Reset is a time in seconds since the epoch.
'use strict';

const Koa = require('koa');

// koa-ratelimit sets its clock when it is loaded, by reading two others one after the other. While a hundred servers
// start, it may be interrupted in between, and is behind by as much as 0.2 s from then on; so it is loaded again.
const clock = require.resolve('koa-ratelimit/limiter/memory');
for (let began = -Infinity; performance.now() - began > 10; ) {
  delete require.cache[clock];
  began = performance.now();
  require(clock);
}
const limiter = require('koa-ratelimit');
const { front, page } = require('./site');

module.exports = async () => {
  const app = new Koa();
  app.use((context, next) => (context.path === '/robots.txt' ? undefined : next())); // 404
  app.use(limiter({ driver: 'memory', db: new Map(), duration: 5000, max: 20, id: (context) => context.ip }));
  app.use((context) => {
    const text = context.path === '/' ? front : page(context.path.replace('/page/', ''));
    if (text) context.body = text;
  });
  return app.callback();
};
