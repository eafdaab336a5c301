// fetch of Node.js with Bottleneck, configured with the quota, as a hand-written program:
//     node bottleneck_pages.js URL [--quota=20/5 ...] [--at-once=8]
//
// URL is that of the pages, without their numbers. A refused page is requested again, up to ten times in all: after the
// seconds in Retry-After, or after one second, as an event handler of Bottleneck decides.
'use strict';

const Bottleneck = require('bottleneck');
const { parseArgs } = require('node:util');

const PAGES = 100;
const ATTEMPTS = 10;
const { values, positionals: [front] } = parseArgs({
  allowPositionals: true,
  options: { quota: { type: 'string', multiple: true, default: [] }, 'at-once': { type: 'string', default: '8' } },
});

const refuse = (response) => Object.assign(new Error(response.status), { wait: response.headers.get('retry-after') });
const quotas = values.quota.map((text) => text.split('/').map(Number));
const limiters = quotas.map(([requests, seconds]) => new Bottleneck({
  reservoir: requests,
  reservoirRefreshAmount: requests,
  reservoirRefreshInterval: 1000 * seconds,
}));
limiters.push(new Bottleneck({ maxConcurrent: Number(values['at-once']) }));
limiters.reduce((outer, inner) => outer.chain(inner) && inner);
const [limiter] = limiters;
limiter.on('failed', (error, { retryCount }) => {
  if (retryCount + 1 < ATTEMPTS) return 1000 * (/^\d+$/.test(error.wait) ? Number(error.wait) : 1);
});

const fetchPage = async (n) => {
  const response = await fetch(`${front}${n}`);
  await response.text();
  if (response.status !== 200) throw refuse(response);
  console.log('got', n);
};

Promise.allSettled([...Array(PAGES).keys()].map((n) => limiter.schedule(() => fetchPage(n))))
  .then(() => process.exit(0)); // the timers of the reservoirs would keep it running
