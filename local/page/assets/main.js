// The page asks for the state once a second and hands it to its parts.

import { $, text, call, ofStream, onError } from './dom.js';
import { seconds, count } from './format.js';
import { History } from './history.js';
import { Plots } from './plots.js';
import { Streams } from './streams.js';
import { Buffers } from './buffers.js';
import { showDeliveries } from './deliveries.js';
import { Controls } from './controls.js';
import { showConnect } from './connect.js';

const every = 1000, patience = 5000; // milliseconds

let state = null, asked = 0, timer = 0;

const past = new History();
const plots = new Plots($('#plots'), past);
const buffers = new Buffers();
const streams = new Streams(draw);
const controls = new Controls(() => { clearTimeout(timer); poll(); });

document.querySelectorAll('[data-connect]').forEach((root, i) => showConnect(root, 'shell-' + i));

function draw() {
  if (!state) return;
  const empty = state.streams.length === 0;
  $('#first').hidden = !empty;
  for (const id of ['streams', 'chosen', 'connect']) $('#' + id).hidden = empty;
  $('.pair').hidden = empty && state.deliveries.length === 0;
  streams.show(state.streams);
  plots.draw(past.of(streams.key));
  buffers.show(state.streams, streams.selected);
  showDeliveries(state.deliveries, streams.selected);
  controls.show(state, streams.selected, asked);
  $('#reset').disabled = empty;
  const clock = ['up ' + seconds((Date.parse(state.now) - Date.parse(state.started)) / 1000)];
  if (state.speed !== 1) clock.push(`clock × ${state.speed}`);
  if (state.each_call) clock.push('delivers each call');
  text($('#clock'), clock.join(', '));
}

function link(name, words) {
  $('#link').dataset.state = name;
  text($('#link'), words);
  document.body.classList.toggle('gone', name === 'gone');
}

let polls = 0;
async function poll() {
  const mine = ++polls, begun = performance.now();
  try {
    const answer = await fetch('/_hydrant/state', { signal: AbortSignal.timeout(patience) });
    const body = await answer.text();
    if (!answer.ok) throw new Error(`the state can't be read: ${body.trim() || answer.status}`);
    const news = JSON.parse(body);
    if (mine !== polls) return; // a later one is under way
    state = news;
    asked = begun;
    past.add(state);
    link('live', 'live');
    draw();
  } catch (err) {
    if (mine !== polls) return;
    past.gap();
    link('gone', err instanceof TypeError || err.name === 'TimeoutError' ? 'the server is gone, trying again' : err.message);
    if (!(err instanceof TypeError) && err.name !== 'TimeoutError') console.error(err);
  }
  timer = setTimeout(poll, Math.max(100, every - (performance.now() - begun)));
}

onError((message) => {
  text($('#alert p'), message);
  $('#alert').hidden = false;
});
$('#alert button').addEventListener('click', () => { $('#alert').hidden = true; });

// A flush lasts until all is delivered, which may be long: a second click ends it.
let flushing = null;
$('#flush').addEventListener('click', async () => {
  if (flushing) return flushing.abort();
  flushing = new AbortController();
  text($('#flush'), 'Stop flushing');
  await call('POST', 'flush' + ofStream(streams.selected), null, flushing.signal);
  flushing = null;
  text($('#flush'), 'Flush now');
});

const ask = $('#confirm');
$('#reset').addEventListener('click', () => {
  const n = state.streams.length;
  text($('#confirm-p'), `${n === 1 ? 'The one stream' : `All ${count(n)} streams`} and what they have buffered will be gone. What was delivered stays.`);
  ask.showModal();
});
$('#confirm-no').addEventListener('click', () => ask.close());
$('#confirm-yes').addEventListener('click', () => { ask.close(); call('POST', 'reset'); });

poll();
