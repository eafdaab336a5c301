// Verdaccio, an empty registry of packages whose search is limited: node verdaccio.js FD
//
// FD is a listening socket. The registry is in the current folder.
'use strict';

const { runServer } = require('verdaccio');
const { logged } = require('./site');

const quiet = { type: 'stdout', format: 'json', level: 'fatal' };
const config = {
  configPath: `${process.cwd()}/config.yaml`,
  storage: `${process.cwd()}/storage`,
  auth: { htpasswd: { file: './htpasswd' } },
  uplinks: {},
  packages: { '**': { access: '$all' } },
  userRateLimit: { windowMs: 5000, max: 20 },
  log: quiet,
};

runServer(config).then((server) => logged(server).listen({ fd: Number(process.argv[2]) }));
