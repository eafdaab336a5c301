// Koa with koa-ratelimit: X-RateLimit-Reset is a time in seconds since the epoch.
'use strict';

const Koa = require('koa');
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
