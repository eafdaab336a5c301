// The site of the servers of npm, and their log: a line of JSON on standard output for each response.
'use strict';

const fs = require('node:fs');
const http = require('node:http');

const PAGES = 100;
const html = (title, body) => `<!doctype html><title>${title}</title>${body}\n`;
const links = [...Array(PAGES).keys()].map((n) => `<a href="/page/${n}">${n}</a>`).join('\n');

// The front page, and a page by the text of its number; undefined if there is none.
const front = html('Front', links);
const page = (text) => (/^\d{1,2}$/.test(text) ? html(`Page ${text}`, `<p>This is page ${text}.</p>`) : undefined);

// Logs the responses of a server; a handler that is added first sees each request first.
const logged = (server) => server.prependListener('request', (request, response) => {
  const began = Date.now();
  const uri = request.url; // routers change it
  response.on('finish', () => {
    const ended = Date.now();
    const hit = { ended: ended / 1000, took: (ended - began) / 1000, uri, status: response.statusCode };
    fs.writeSync(1, `${JSON.stringify(hit)}\n`);
  });
});

// Serves a handler of Node's on a listening socket.
const serve = (handler, fd) => logged(http.createServer(handler)).listen({ fd });

process.on('SIGTERM', () => process.exit(0)); // not before the log lines of the responses

module.exports = { PAGES, front, page, logged, serve };
